"""The image can be built from what the build is given, and what it starts is ready to serve; Compose runs it locked down."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import sysconfig
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import typer
from container_files import COMPOSE, ROOT, Stage, compose, context, dockerfile, is_ignored
from queue_depth import depth_of
from typer.core import TyperGroup

from sandbox.launch import HTTP, Launched, Sandbox, launch, sandbox
from shared.bulk.ports import Topic
from shared.cli.app import app
from shared.local.health import TIMEOUT_S
from shared.local.listening import free_port
from shared.local.supervisor import CHILD_END_S, DRAIN_S
from shared.settings.environment import BY_NAME, VARIABLES
from shared.sqlite.database import Database
from shared.sqlite.queue import SqliteQueue

ARGUMENTS, (BUILD, FINAL) = dockerfile()
SERVICE = compose()["services"]["sync"]
DOCUMENT = (ROOT / "docs" / "deploy-container.md").read_text(encoding="utf-8")
SECRETS = {variable.name for variable in VARIABLES if variable.secret}
KEY = "a-key-of-the-tests"
GUARDS = {
    "BULK_IMPORT_API_KEY": KEY,
    "PUSH_SERVICE_ACCOUNT": "push@cloud.example.com",
    "PUSH_AUDIENCE": "https://sync.example.com",
}

in_one_process = pytest.mark.xdist_group("container")


@dataclass(frozen=True)
class Image:
    """What the Dockerfile's steps have made in a folder that stands for the image's root; `data` stands for the volume."""

    root: Path
    data: Path

    def inside(self, text: str) -> str:
        """A command or value of the Dockerfile with the image's folders where they are here."""
        text = re.sub(r"(?<![\w/.])/data\b", str(self.data), text)
        return re.sub(r"(?<![\w/.])/(opt/venv|build)\b", lambda found: f"{self.root}/{found[1]}", text)

    def environment(self, **more: str) -> dict[str, str]:
        """What a process in the container has: what the image sets, and what whoever runs it adds. No HOME, no locale."""
        system = str(Path(shutil.which("sh") or "/bin/sh").parent)
        return {
            **{name: self.inside(value).replace("${PATH}", system) for name, value in FINAL.environment.items()},
            "TMPDIR": str(self.root / "tmp"),
            **more,
        }

    def as_its_user(self, command: list[str]) -> list[str]:
        """A command of the image in its folder, with a mask by which nobody else may read what it makes."""
        return ["sh", "-c", f'cd {self.root}/app && umask 077 && exec "$@"', "sh", *command]

    def begin(self, command: list[str], **more: str) -> Launched:
        """A command that goes on."""
        return launch("container", self.as_its_user(command), self.environment(**more))

    def run(self, command: list[str], **more: str) -> tuple[int, str]:
        """The exit code and the output of a command that ends."""
        done = subprocess.run(
            self.as_its_user(command),
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.rstrip("\n")

    def files(self) -> dict[str, tuple[int, int]]:
        """Size and time of everything that the image consists of."""
        found = (path for name in ("opt", "app") for path in (self.root / name).rglob("*") if not path.is_symlink())
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found if path.is_file()}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The first stage's steps, run by this interpreter over copies of the files that .dockerignore lets through.

    Only downloading is replaced: the locked packages are linked from where the tests have them, and no others.
    """
    root = tmp_path_factory.mktemp("image")
    given, build, made = root / "context", root / "build", Image(root, root / "no-volume")
    for folder in (build, root / "app", root / "tmp"):
        folder.mkdir()
    for name in context():
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, given / name)
    for step in BUILD.instructions:
        if step.name == "COPY":
            *sources, target = shlex.split(step.text)
            for source in sources:
                if (given / source).is_dir():
                    shutil.copytree(given / source, build / target)
                else:
                    shutil.copyfile(given / source, build / target / source)
        elif step.name == "RUN" and "--require-hashes" in step.text:
            _link_locked(build / step.text.split()[-1], made)
        elif step.name == "RUN":
            tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            environment = {**os.environ, **BUILD.environment, "PATH": tools}
            done = subprocess.run(
                ["sh", "-euc", made.inside(step.text)], cwd=build, env=environment, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, f"{step.text}\n{done.stdout}\n{done.stderr}"
    shutil.rmtree(build)
    return made


def _link_locked(lock: Path, made: Image) -> None:
    """Make the packages of a lock importable in the image's environment, if it is for that and not for the build itself."""
    names = re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.MULTILINE)
    assert names
    if lock.name == "requirements-build.txt":
        return
    target = Path(sysconfig.get_path("purelib", vars={"base": str(made.root / "opt/venv")}))
    for name in names:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # one for another platform, as its marker in the lock says; a missing one is found by `pip check`
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in {"..", "__pycache__"}}
        for top in tops:
            if not (target / top).exists():
                (target / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Image:
    """The image with a volume of its own."""
    (tmp_path / "data").mkdir(mode=0o700)
    return replace(image, data=tmp_path / "data")


@pytest.fixture(scope="module")
def simulators() -> Iterator[Sandbox]:
    with sandbox(commercetools=["--customers", "40", "--malformed-emails", "0"], klaviyo=["--job-seconds", "0.2"]) as servers:
        yield servers


@pytest.fixture
def settings(simulators: Sandbox) -> dict[str, str]:
    """What `.env` would say: both APIs and ports of this machine."""
    environment = simulators.environment(Path("unused"), free_port())
    return {name: environment[name] for name in environment if name in BY_NAME and name != "STATE_PATH"}


@in_one_process
def test_the_container_serves_is_healthy_imports_and_stops(container: Image, settings: dict[str, str]) -> None:
    """From nothing but locked packages and the wheel, without a home, writing only to its volume and to temporary files."""
    configured = {**settings, **GUARDS}
    check = FINAL.only("HEALTHCHECK").exec_form
    before = container.files()
    assert container.run(check, **configured)[0] == 1
    serving = container.begin(FINAL.only("CMD").exec_form, **configured)
    try:
        deadline = time.monotonic() + 30
        while container.run(check, **configured)[0] != 0:
            assert time.monotonic() < deadline, "\n".join(serving.lines)
            assert serving.process.poll() is None, "\n".join(serving.lines)
        api = f"http://127.0.0.1:{settings['BULK_IMPORT_PORT']}"
        assert HTTP.post(f"{api}/sync/customers").status_code == 401
        assert HTTP.post(f"http://127.0.0.1:{settings['PUB_SUB_PORT']}/", content=b"{}").status_code == 401
        code, shown = container.run(["ct-klaviyo", "import", "customers", "--watch"], **configured)
        assert code == 0, shown
        assert "seen 40 = sent 40 + skipped 0 + failed 0" in shown
    finally:
        code = serving.stop(DRAIN_S)
    assert code == 0, "\n".join(serving.lines)
    assert container.run(check, **configured) == (
        1,
        "realtime does not answer (ConnectError)\nimport API does not answer (ConnectError)",
    )
    assert container.files() == before
    assert stat.S_IMODE((container.data / "state.sqlite3").stat().st_mode) == 0o600


@in_one_process
def test_the_container_has_the_product_and_nothing_of_the_sandbox(container: Image) -> None:
    """What runs is what was installed into the image, not the sources that it was made of."""
    found = "import importlib.util as u; print(u.find_spec('shared').origin, u.find_spec('sandbox'), u.find_spec('pytest'))"
    code, shown = container.run(["python", "-c", found])
    assert code == 0, shown
    assert Path(shown.split()[0]).is_relative_to(container.root / "opt" / "venv")
    assert shown.split()[1:] == ["None", "None"]


@in_one_process
def test_the_container_does_not_start_unguarded(container: Image, settings: dict[str, str]) -> None:
    """Its servers listen on all addresses, so what guards them must be set; the message names it."""
    code, shown = container.run(FINAL.only("CMD").exec_form, **settings)
    assert code == 2
    assert "BULK_IMPORT_API_KEY: is not set" in shown
    assert "PUSH_SERVICE_ACCOUNT: is not set" in shown


@in_one_process
def test_the_state_is_copied_and_put_back_by_the_commands_of_the_page(container: Image, tmp_path: Path) -> None:
    """While it is open, and over a state that is newer."""
    copying, putting_back = re.search(r"exec sync python -c '(.+)'", DOCUMENT), re.search(r"sync sh -c '(.+)'", DOCUMENT)
    assert copying
    assert putting_back
    with Database(container.data / "state.sqlite3") as database:
        queue = SqliteQueue(database)
        queue.publish(Topic.WORK, [b"one"])
        assert container.run(["python", "-c", container.inside(copying[1])]) == (0, "")
        queue.publish(Topic.WORK, [b"another"])
    backup = tmp_path / "backup.sqlite3"
    shutil.copyfile(container.data / "backup.sqlite3", backup)
    restore = container.inside(putting_back[1].replace("cp /backup.sqlite3", f"cp {backup}"))
    assert container.run(["sh", "-c", restore]) == (0, "")
    with Database(container.data / "state.sqlite3") as database:
        assert depth_of(database, Topic.WORK).ready == 1


def test_a_build_is_given_what_it_copies_and_nothing_else() -> None:
    """Each source of a COPY exists and is let through, every package of the wheel is one; what no COPY names is kept out."""
    sources = {source.rstrip("/") for stage in (BUILD, FINAL) for names, _ in stage.copied() for source in names}
    assert {path.split("/")[0] for path in context()} == sources
    assert all((ROOT / source).exists() for source in sources)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert sources.issuperset(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_what_must_stay_out_of_an_image_stays_out_of_the_build() -> None:
    """Secrets, state, history, tests, caches: wherever they are."""
    for path in (
        ".env",
        "shared/.env",
        ".git/config",
        ".data/state.sqlite3",
        ".venv/bin/python",
        "shared/__pycache__/push.cpython-312.pyc",
        "shared/bulk/__pycache__/app.cpython-312.pyc",
        "functions/stray.pyc",
        "tests/conftest.py",
        "sandbox/demo.py",
        "container.env",
        "service-account.json",
    ):
        assert is_ignored(path), path
    assert not is_ignored("shared/bulk/app.py")


def test_every_package_is_checked_by_its_hash() -> None:
    """Nothing is downloaded that a lock does not name: every other installation is offline or without dependencies."""
    commands = [part.strip() for step in BUILD.all("RUN") for part in step.text.split("&&")]
    installs = [command for command in commands if re.match(r"pip .*\b(install|wheel|download)\b", command)]
    assert len(installs) == 4
    for command in installs:
        locked = "--require-hashes" in command and command.split()[-2] == "-r"
        offline = "--no-deps" in command and ("--no-index" in command or "--no-build-isolation" in command)
        assert locked or offline, command
    assert not [step for step in FINAL.all("RUN") if re.search(r"\b(pip|curl|wget|apt-get)\b", step.text)]


def test_the_lock_of_the_build_is_part_of_the_lock_of_development() -> None:
    """The wheel in the image is made by what makes it here."""
    build, development = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements-build.txt", "requirements-dev.txt")
    )
    assert any(pin.startswith("hatchling==") for pin in build)
    assert build <= development


def test_both_stages_have_the_same_pinned_base() -> None:
    """One Python version for the container, Google Cloud and Connect (decisions.md 18), on a named release of Debian."""
    assert [BUILD.base, FINAL.base] == ["${BASE}", "${BASE}"]
    assert re.fullmatch(r"python:3\.12-slim-[a-z]+", ARGUMENTS["BASE"])
    places = [path for name in ("terraform", "deploy") for path in (ROOT / name).rglob("*") if path.suffix in {".tf", ".sh"}]
    named = {(path.name, found) for path in places for found in re.findall(r"\bpython3\d+\b", path.read_text(encoding="utf-8"))}
    assert {found for _, found in named} <= {"python312"}, named


def test_the_image_runs_as_a_numbered_user_who_owns_the_volume() -> None:
    """A number can be checked by whoever forbids root; the state file is on the volume."""
    user, group = FINAL.only("USER").text.split(":")
    (volume,) = json.loads(FINAL.only("VOLUME").text)
    made = next(step.text for step in FINAL.all("RUN") if "useradd" in step.text)
    name = made.split("useradd ")[1].split(" && ")[0].split()[-1]
    assert (f"--uid {user} " in made, f"--gid {group} " in made) == (True, True)
    assert int(user) >= 10_000
    assert f"--owner={name} --group={name} --mode=0700 {volume}" in made
    assert Path(FINAL.environment["STATE_PATH"]).parent == Path(volume)
    order = [step.name for step in FINAL.instructions]
    assert order.index("USER") > max(index for index, step in enumerate(order) if step in {"RUN", "COPY"})


def test_the_image_says_how_it_is_run_stopped_and_checked() -> None:
    """Both default ports, the signal that `serve` obeys, and commands that no shell stands before."""
    assert FINAL.only("EXPOSE").text.split() == [BY_NAME["PUB_SUB_PORT"].default, BY_NAME["BULK_IMPORT_PORT"].default]
    assert FINAL.only("STOPSIGNAL").text == "SIGTERM"
    assert FINAL.only("CMD").exec_form == ["ct-klaviyo", "serve"]
    assert not FINAL.all("ENTRYPOINT")
    check = FINAL.only("HEALTHCHECK")
    assert check.exec_form == ["python", "-m", "shared.local.health"]
    assert int(re.findall(r"--timeout=(\d+)s", check.text)[0]) > 2 * TIMEOUT_S


@pytest.mark.parametrize("stage", [BUILD, FINAL], ids=["build", "final"])
def test_no_secret_is_in_a_layer(stage: Stage) -> None:
    """No ARG and no ENV has the name of one."""
    names = {*stage.environment, *(step.text.split("=")[0] for step in stage.all("ARG")), *ARGUMENTS}
    assert SECRETS
    assert names.isdisjoint(SECRETS)


def test_compose_gives_the_container_what_the_image_expects() -> None:
    """Whatever `.env` says for running without a container: addresses, ports and state are the image's own."""
    (volume,) = json.loads(FINAL.only("VOLUME").text)
    inside = SERVICE["environment"]
    assert {name: inside[name] for name in ("BIND_HOST", "STATE_PATH")} == {
        name: FINAL.environment[name] for name in ("BIND_HOST", "STATE_PATH")
    }
    assert [inside["PUB_SUB_PORT"], inside["BULK_IMPORT_PORT"]] == FINAL.only("EXPOSE").text.split()
    assert set(inside) == {"BIND_HOST", "STATE_PATH", "PUB_SUB_PORT", "BULK_IMPORT_PORT"}
    assert SERVICE["env_file"] == ".env"
    assert SERVICE["volumes"] == [f"state:{volume}"]
    assert compose()["volumes"] == {"state": None}


def test_compose_publishes_on_this_machine_only() -> None:
    """On the ports that `.env` names, or the same as inside."""
    assert SERVICE["ports"] == [
        f"127.0.0.1:${{{name}:-{BY_NAME[name].default}}}:{BY_NAME[name].default}" for name in ("PUB_SUB_PORT", "BULK_IMPORT_PORT")
    ]


def test_compose_takes_away_what_the_container_does_not_need() -> None:
    """No capability, no new privileges, no writing but to the volume and to memory, and a bound on that."""
    assert SERVICE["read_only"] is True
    assert [mount.split(":")[0] for mount in SERVICE["tmpfs"]] == ["/tmp"]
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert SERVICE["mem_limit"] == "1g"
    assert SERVICE["init"] is True
    assert SERVICE["restart"] == "unless-stopped"
    assert SERVICE["logging"]["options"].keys() == {"max-size", "max-file"}


def test_compose_waits_for_a_clean_stop() -> None:
    """Longer than `serve` takes at most: what is under way, the processes, and two seconds for the pump."""
    assert int(SERVICE["stop_grace_period"].removesuffix("s")) > DRAIN_S + CHILD_END_S + 2


def test_compose_is_what_compose_accepts(tmp_path: Path) -> None:
    """Checked by Compose's own schema, which knows every key; a misspelt one is found."""
    misspelt = tmp_path / "compose.yaml"
    misspelt.write_text(COMPOSE.read_text(encoding="utf-8").replace("read_only:", "readonly:"), encoding="utf-8")
    command = [str(Path(sysconfig.get_path("scripts")) / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    done, refused = (
        subprocess.run([*command, str(path)], capture_output=True, text=True, check=False, timeout=60)
        for path in (COMPOSE, misspelt)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (refused.returncode, "readonly" in refused.stdout) == (1, True)
    assert compose()["services"].keys() == {"sync"}
    assert SERVICE["build"] == "."


def test_the_page_runs_commands_that_exist_in_the_service_that_exists() -> None:
    """`docker compose exec` and `run` name the service, and what they run in it is a command of ours or of the image."""
    ours = typer.main.get_command(app)
    assert isinstance(ours, TyperGroup)
    ran = re.findall(r"^ *docker compose (?:exec|run)((?: --rm| --volume \S+)*) (\w+) (.+)$", DOCUMENT, re.MULTILINE)
    assert len(ran) == DOCUMENT.count("docker compose exec") + DOCUMENT.count("docker compose run") == 5
    for _, service, command in ran:
        program, first, *_ = shlex.split(command)
        assert service in compose()["services"]
        assert first in ours.commands if program == "ct-klaviyo" else program in {"python", "sh"}
    assert f"python -m {FINAL.only('HEALTHCHECK').exec_form[2]}" in DOCUMENT


def test_the_page_runs_the_image_without_compose_as_compose_does() -> None:
    """Every restriction has its option."""
    command = re.search(r"docker run (.+?) commercetools-klaviyo-sync$", DOCUMENT.replace("\\\n", " "), re.MULTILINE)
    assert command
    words = " ".join(command[1].split())
    for option in (
        "--init",
        "--read-only",
        "--tmpfs /tmp",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        f"--memory {SERVICE['mem_limit']}",
        f"--stop-timeout {SERVICE['stop_grace_period'].removesuffix('s')}",
        f"--restart {SERVICE['restart']}",
        "--publish 127.0.0.1:8080:8080",
        "--publish 127.0.0.1:6779:6779",
        ":/data",
    ):
        assert option in words, option
