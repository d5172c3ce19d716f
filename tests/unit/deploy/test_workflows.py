"""The GitHub workflows: valid, least permissions, everything pinned, and running only what is there."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from connect_api_world import DEPLOYMENT, ENVIRON, TAG, make_repository
from ruamel.yaml import YAML
from workflow_files import FOLDER, ROOT, Workflow, commands, resolved, workflow, workflows

from deploy.connect_api.command import parser
from deploy.connect_api.config import VARIABLES
from sandbox.launch import HTTP, Launched, launch
from shared.version import VERSION

ALL = workflows()
MAY_WRITE = {("release", "release"): {"contents": "write"}, ("deploy-connect", "bundle"): {"contents": "write"}}
MODULE = ".venv/bin/python -m deploy.connect_api"
CHECK = ".venv/bin/python -m post_deploy --check"
ADDRESS = "git@github.com:example/shop-sync.git"


def _bash(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub does where a step names no shell."""
    command = ["bash", "--noprofile", "--norc", "-e", "-c", script]
    environ = {"PATH": os.environ["PATH"], **environ}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(params=ALL, ids=lambda shown: shown.name)
def shown(request: pytest.FixtureRequest) -> Workflow:
    """Each workflow in turn."""
    found: Workflow = request.param
    return found


def test_they_are_what_github_reads() -> None:
    """By GitHub's schema for workflows, which the checker has with it; there are tests, audits, releases and deployments."""
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    checked = subprocess.run([*checker, *map(str, FOLDER.iterdir())], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert {one.name for one in ALL} == {"test", "audit", "release", "deploy-connect"}


def test_every_action_is_pinned_by_its_commit(shown: Workflow) -> None:
    """With the version in a comment; a workflow of ours is of the same commit anyway."""
    for line in shown.text.splitlines():
        if match := re.search(r"\buses: (\S+)(.*)$", line):
            assert match[1] == "./.github/workflows/test.yml" or (
                re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", match[1]) and re.fullmatch(r" # v\d+\.\d+\.\d+", match[2])
            ), line


def test_an_action_is_the_same_everywhere() -> None:
    """One commit and one version of each, in all workflows."""
    pins = defaultdict(set)
    for one in ALL:
        for name, pin in re.findall(r"uses: ([\w.-]+/[\w.-]+)@(.+)$", one.text, re.MULTILINE):
            pins[name].add(pin)
    assert {name: len(found) for name, found in pins.items()} == dict.fromkeys(pins, 1)


def test_nothing_is_allowed_but_what_a_job_needs(shown: Workflow) -> None:
    """No permission for the workflow; a job reads the sources, and only two write: tags and releases."""
    assert shown.content["permissions"] == {}
    for name, job in shown.jobs.items():
        assert job["permissions"] == MAY_WRITE.get((shown.name, name), {"contents": "read"}), name


def test_no_credentials_stay_behind(shown: Workflow) -> None:
    """A checkout keeps no token; one is given only to the step that needs it."""
    checkouts = [step for step in shown.steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    for job in shown.jobs.values():
        assert "secrets" not in job
        assert not [name for name, value in job.get("env", {}).items() if "secrets." in value or "token" in value.lower()]


def test_no_text_from_outside_becomes_a_command(shown: Workflow) -> None:
    """Inputs, names and variables reach a shell through its environment alone, and are quoted there."""
    assert not [script for script in shown.runs if "${{" in script]
    assert "pull_request_target" not in shown.text
    assert "workflow_run" not in shown.text
    for script in shown.runs:
        unquoted = re.sub(r'"[^"\n]*"', "", script)
        assert not re.search(r"\$[A-Za-z_{]", unquoted), script


def test_nothing_runs_for_ever_or_twice_at_once(shown: Workflow) -> None:
    """Each job has an end; a newer run replaces an older one, but never a deployment or a release that has begun."""
    for name, job in shown.jobs.items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 100, name
        assert job.get("runs-on", "ubuntu-24.04") == "ubuntu-24.04"
    concurrency = shown.content["concurrency"]
    assert "${{" in concurrency["group"]
    assert concurrency["cancel-in-progress"] is not True or shown.name == "audit"


def test_every_script_that_is_run_exists(shown: Workflow) -> None:
    """Targets of the Makefile, files, programs of the virtual environment, steps with their options."""
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for script in shown.runs:
        for words in commands(script, "make"):
            assert [word for word in words if "=" not in word] == [words[0]]
            assert words[0] in targets
        for words in commands(script, "python"):
            assert words[0] == "-m" or (ROOT / words[0]).is_file(), words
        for words in commands(script, MODULE):
            parser().parse_args([word for word in words if word != "$@"])
        for program in re.findall(r"\.venv/bin/(\w+)", script):
            assert (Path(sys.executable).parent / program).exists()


def test_the_tests_run_whole_on_the_oldest_and_the_deployed_python() -> None:
    """What could not run is a failure, so everything that tests need is installed first."""
    job = workflow("test").jobs["test"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"] == [oldest, "3.12"]
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert runs == ["make setup PYTHON=python", "make test", "make check"]
    assert [step["env"] for step in job["steps"] if step.get("run") == "make test"] == [{"REQUIRE_ALL_TIERS": "1"}]
    used = " ".join(step.get("uses", "") for step in job["steps"])
    assert [name for name in ("setup-python", "setup-node", "setup-java", "setup-gcloud") if name not in used] == []
    gcloud = next(step["with"] for step in job["steps"] if "setup-gcloud" in step.get("uses", ""))
    assert gcloud["install_components"] == "cloud-firestore-emulator,pubsub-emulator"


def test_every_lock_is_audited() -> None:
    """Of Python and npm, also once a week; npm from high on, pip-audit with any finding, since it knows no severity."""
    audit = workflow("audit")
    python, npm = ("\n".join(step.get("run", "") for step in audit.jobs[name]["steps"]) for name in ("python", "npm"))
    [patterns] = re.findall(r"for lock in (.+); do", python)
    covered = {path for pattern in patterns.split() for path in ROOT.glob(pattern)}
    locks = {path for folder in (ROOT, ROOT / ".github") for path in folder.glob("requirements*.txt")}
    assert locks == covered
    assert "pip-audit --strict --disable-pip --require-hashes" in python
    assert "npm audit --package-lock-only --audit-level=high" in npm
    assert "schedule" in audit.text


def test_every_lock_is_complete_and_hashed() -> None:
    """What the audits read: exact versions, each with the hashes of its files; what npm installs has an integrity."""
    for path in (*ROOT.glob("requirements*.txt"), *(ROOT / ".github").glob("requirements*.txt")):
        entries = re.split(r"\n(?=[a-z])", re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE))
        assert len(entries) > 2
        for entry in entries:
            assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+( ; [^\\]+)? \\\n +--hash=sha256:[0-9a-f]{64}", entry), (
                f"{path.name}: {entry}"
            )
    tracked = subprocess.run(["git", "ls-files", "*package-lock.json"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.split():
        packages = json.loads((ROOT / name).read_text())["packages"]
        assert [key for key, package in packages.items() if key and not package.get("integrity", "").startswith("sha512-")] == []


def test_a_release_is_tested_and_has_everything() -> None:
    """Version and changelog first; wheel, source distribution, both deployment archives, and the bundle as a tag of its own."""
    release = workflow("release")
    assert release.content["on"] == {"push": {"tags": ["v*"]}}
    assert release.jobs["release"]["needs"] == "test"
    assert release.jobs["test"]["uses"] == "./.github/workflows/test.yml"
    script = "\n".join(release.runs)
    order = (
        "release_notes.py",
        "make setup",
        "hatchling build",
        "make source-archive",
        "make connect-bundle",
        "push-bundle",
        "gh release",
    )
    found = [script.index(part) for part in order]
    assert found == sorted(found)
    assert script.count('> "$RUNNER_TEMP/notes.md"') == script.count('--notes-file "$RUNNER_TEMP/notes.md"') == 1


def test_the_bundles_archive_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    """Whoever made the bundle, in whatever order its files came to be, and whenever it is packed."""
    [script] = [run for run in workflow("release").runs if "make connect-bundle" in run]
    found = []
    for number, names in enumerate((("b", "a"), ("a", "b"))):
        folder = tmp_path / str(number)
        (folder / "build" / "connect").mkdir(parents=True)
        (folder / "dist").mkdir()
        for name in names:
            (folder / "build" / "connect" / name).write_text(name)
        for path in (folder / "build" / "connect", *(folder / "build" / "connect").iterdir()):
            os.utime(path, (315_619_200, 315_619_200))
        ended = _bash(script.replace("make connect-bundle", ":"), folder, GITHUB_REF_NAME="v0.1.0")
        assert ended.returncode == 0, ended.stderr
        found.append((folder / "dist" / "connect-v0.1.0.tar.gz").read_bytes())
    assert found[0] == found[1]
    assert found[0][4:8] == bytes(4)  # gzip's own time
    with tarfile.open(fileobj=io.BytesIO(found[0])) as archive:
        assert [(one.name, one.uid, one.gid, one.uname, one.gname) for one in archive] == [
            (name, 0, 0, "", "") for name in ("connect", "connect/a", "connect/b")
        ]


@pytest.mark.parametrize("tag", ["v9.9.9", VERSION, ""])
def test_a_release_of_another_version_is_refused(tag: str) -> None:
    """Before anything is built."""
    ended = subprocess.run(
        [sys.executable, "deploy/release_notes.py", tag], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "is not the version in shared/version.py" in ended.stderr


def test_the_notes_of_a_release_are_the_changelogs() -> None:
    """The entry of its version, and no other; a version without one is refused."""
    from deploy.release_notes import notes

    changelog = "# Changelog\n\n## 0.10.0\n\nten\n\n## 0.1.0 (2026-01-01)\n\n### New\n\n- one\n\n## 0.0.9\n\nold\n"
    assert notes("v0.1.0", 'VERSION = "0.1.0"\n', changelog) == "### New\n\n- one"
    with pytest.raises(ValueError, match=re.escape("no entry for 0.2.0")):
        notes("v0.2.0", 'VERSION = "0.2.0"\n', changelog)
    with pytest.raises(ValueError, match="not there"):
        notes("v0.2.0", "", changelog)


def test_a_deployment_waits_for_another_one_of_its_environment_and_ships_no_tag_but_its_own() -> None:
    """The ConnectorStaged is one for all environments: each deploys only the tag that it has brought there."""
    content = workflow("deploy-connect").content
    assert content["concurrency"]["group"] == "deploy-connect-${{ inputs.environment }}"
    [script] = [run for run in workflow("deploy-connect").runs if "connect_api deploy " in run]
    assert '--tag "$TAG"' in script


def test_the_application_gets_every_value_that_it_asks_for() -> None:
    """The step that deploys knows every key of connect.yaml: secured ones from secrets, others from variables and inputs."""
    job = workflow("deploy-connect").jobs["deploy"]
    step = next(step for step in job["steps"] if "deploy --staged" in step.get("run", ""))
    given = {**job["env"], **step["env"]}
    asked = YAML(typ="safe").load((ROOT / "connect.yaml").read_text())["deployAs"][0]["configuration"]
    for pair in asked["standardConfiguration"]:
        assert "secrets." not in given[pair["key"]]
    for pair in asked["securedConfiguration"]:
        assert given[pair["key"]] == f"${{{{ secrets.{pair['key']} }}}}"
    known = {pair["key"] for kind in asked.values() for pair in kind} | {one.name for one in VARIABLES}
    assert set(given) - known == {"TAG", "REPOSITORY", "REPLACE"}


def test_a_step_that_fails_to_name_the_tag_fails(tmp_path: Path) -> None:
    """An empty tag must not go on to the next steps."""
    [script] = [run for run in workflow("deploy-connect").runs if "bundle-tag" in run]
    output = tmp_path / "output"
    for program, code, written in (("echo connect-v1", 0, "tag=connect-v1"), ("false", 1, "")):
        output.write_text("")
        replaced = script.replace(".venv/bin/python -m deploy.connect_api bundle-tag", program)
        assert _bash(replaced, tmp_path, GITHUB_OUTPUT=str(output)).returncode == code
        assert output.read_text().strip() == written


def test_a_deployment_takes_every_step_in_order() -> None:
    """Bundle as its own tag, connector brought to it, preview requested and waited for, deployed and waited for."""
    jobs = workflow("deploy-connect").jobs
    taken = [
        words[0]
        for name in ("bundle", "deploy")
        for step in jobs[name]["steps"]
        for words in commands(step.get("run", ""), MODULE)
    ]
    assert taken == [
        "bundle-tag",
        "push-bundle",
        "token",
        "stage-connector",
        "request-preview",
        "wait-preview",
        "deploy",
        "wait-deployed",
        "status",
    ]
    runs = [step.get("run", "") for step in jobs["deploy"]["steps"]]
    assert [run for run in runs if "wait-deployed" in run or "post_deploy" in run][1:] == [CHECK]
    assert jobs["deploy"]["needs"] == "bundle"


@contextmanager
def _listening(module: str, *arguments: str) -> Iterator[Launched]:
    """A simulator as a process."""
    launched = launch(module, [sys.executable, "-m", module, *arguments], dict(os.environ), ROOT)
    try:
        while not (line := next((line for line in list(launched.lines) if "listening on " in line), "")):
            assert launched.process.poll() is None, launched.lines
            time.sleep(0.02)
        launched.url = line.split()[-1]
        yield launched
    finally:
        launched.stop(5)


@pytest.fixture
def connect_api(tmp_path: Path) -> Iterator[Launched]:
    """The simulated API, where everything that takes time is done at the first look."""
    with _listening("sandbox.connect_api", "--repository", f"{ADDRESS}={make_repository(tmp_path)}", "--looks", "0") as launched:
        yield launched


@pytest.fixture
def commercetools() -> Iterator[Launched]:
    """A simulated project without subscriptions."""
    with _listening("sandbox.commercetools", "--customers", "0") as launched:
        yield launched


def test_the_workflows_own_lines_deploy(connect_api: Launched) -> None:
    """What the job `deploy` runs, run by bash as GitHub does, beside the simulated API: first created, then redeployed."""
    job = workflow("deploy-connect").jobs["deploy"]
    known = {
        "needs.bundle.outputs.tag": TAG,
        "github.repository": "example/shop-sync",
        "inputs.environment": "connect_test",
        "inputs.connector_key": "commercetools-klaviyo-sync",
        "inputs.node_config": '{"product": {"unpublished": "hide"}}',
        "inputs.replace": "false",
        "vars.CONNECT_API_URL": connect_api.url,
        "vars.CT_AUTH_URL": connect_api.url,
        **{f"vars.{name}": ENVIRON[name] for name in ("CONNECT_REGION", "CONNECT_CREATOR_EMAIL", "CT_API_URL", "CT_PROJECT_ID")},
        **{f"secrets.{name}": ENVIRON[name] for name in ("CONNECT_API_CLIENT", "CT_API_CLIENT", "KLAVIYO_AUTH_KEY")},
    }
    output = ""
    for step in [step for step in job["steps"] if "deploy.connect_api" in step.get("run", "")]:
        environ = {name: resolved(value, known) for name, value in {**job["env"], **step["env"]}.items()}
        script = step["run"].replace(".venv/bin/python", f'"{sys.executable}"')
        ended = _bash(script, ROOT, GITHUB_ACTIONS="true", **environ)
        assert ended.returncode == 0, (step["name"], ended.stdout, ended.stderr)
        assert "::add-mask::" not in ended.stdout
        output += ended.stdout + ended.stderr
    assert f"deployment {DEPLOYMENT} (preview, europe-west1.gcp): {TAG} is Deployed" in output
    shown_lines = [line for line in output.splitlines() if not line.startswith("::add-mask::")]
    for secret in ("connect-secret", "shop-secret", "pk_test", "of-the-simulator"):
        assert not [line for line in shown_lines if secret in line]
    assert HTTP.get(f"{connect_api.url}/connectors/search").status_code == 401


def test_a_run_whose_subscriptions_are_not_there_is_red(commercetools: Launched, tmp_path: Path) -> None:
    """Connect may report a deployment as up though its post-deploy script has failed: the job looks for itself."""
    job = workflow("deploy-connect").jobs["deploy"]
    [step] = [step for step in job["steps"] if step.get("run") == CHECK]
    known = {
        "github.repository": "example/shop-sync",
        "inputs.environment": "connect_test",
        "inputs.connector_key": "commercetools-klaviyo-sync",
        "vars.CONNECT_REGION": ENVIRON["CONNECT_REGION"],
        "vars.CT_API_URL": commercetools.url,
        "vars.CT_AUTH_URL": commercetools.url,
        "vars.CT_PROJECT_ID": "sandbox",
        "secrets.CT_API_CLIENT": '{"clientId": "sandbox-client", "secret": "sandbox-secret"}',
        "secrets.KLAVIYO_AUTH_KEY": "pk_sandbox_0123456789",
    }
    environ = {name: resolved(value, known) for name, value in {**job["env"], **step["env"]}.items()} | {"PYTHONPATH": str(ROOT)}
    found = []
    for script in (CHECK, CHECK.removesuffix(" --check"), CHECK):
        topic = {} if script == CHECK else {"CONNECT_GCP_TOPIC_NAME": "notifications", "CONNECT_GCP_PROJECT_ID": "cloud-1"}
        found.append(_bash(script.replace(".venv/bin/python", f'"{sys.executable}"'), tmp_path, **environ, **topic))
    assert [ended.returncode for ended in found] == [1, 0, 0], found
    assert len(re.findall(r"connect-connect_test-\S+: missing", found[0].stderr)) == 6
