"""The archive that the functions are built from: always the same bytes, nothing too much, and enough to serve."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from sandbox.launch import HTTP, START_S, is_healthy, launch
from shared.local.listening import free_port

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "deploy" / "source_archive.py"
TARGETS = ("realtime_event", "bulk_dispatch", "bulk_worker")
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "CT_API_URL": "http://127.0.0.1:9",
    "CT_AUTH_URL": "http://127.0.0.1:9",
    "CT_PROJECT_ID": "acme",
    "CT_API_CLIENT": '{"clientId": "an-id", "secret": "not-a-secret"}',
    "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
    "KLAVIYO_API_URL": "http://127.0.0.1:9",
    "K_SERVICE": "klaviyo-sync-realtime",
    "STATE_BACKEND": "firestore",
    "QUEUE_BACKEND": "pubsub",
    "GOOGLE_CLOUD_PROJECT": "acme-cloud",
    "PUSH_SERVICE_ACCOUNT": "acme-sync-push@acme-cloud.iam.gserviceaccount.com",
    "PUSH_AUDIENCE": "https://acme-sync-worker-123456789012.europe-west1.run.app",
}
"""As a deployed function has it, with hosts that nothing listens on."""


def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, without this project's packages."""
    command = [sys.executable, "-I", str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program as a module; it belongs to no package."""
    spec = importlib.util.spec_from_file_location("source_archive", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of this checkout."""
    out = tmp_path_factory.mktemp("build") / "source.zip"
    done = run(out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout, with all that people and programs leave in one."""
    root = tmp_path / "checkout"
    for name in (
        "LICENSE",
        "main.py",
        "requirements.txt",
        "functions/one/main.py",
        "shared/page.html",
        "shared/deep/er.py",
        "shared/__pycache__/er.cpython-312.pyc",
        "shared/deep/.er.py.swp",
        "shared/deep/er.py~",
        "functions/.mypy_cache/x.json",
        ".env",
        "README.md",
        "tests/test_one.py",
        "sandbox/__init__.py",
        "pyproject.toml",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return root


def test_the_same_sources_give_the_same_bytes(program: ModuleType, checkout: Path, tmp_path: Path) -> None:
    """Wherever they are, whenever they were written, whatever their modes, and in whatever order the disk lists them."""
    program.write(tmp_path / "one.zip", checkout)
    elsewhere = tmp_path / "elsewhere" / "other-name"
    for path in sorted(checkout.rglob("*"), reverse=True):
        if path.is_file():
            copy = elsewhere / path.relative_to(checkout)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copy.chmod(0o755)
            os.utime(copy, (1_000_000_000, 1_000_000_000))
    program.write(tmp_path / "two.zip", elsewhere)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    (elsewhere / "main.py").write_text("another")
    program.write(tmp_path / "two.zip", elsewhere)
    assert (tmp_path / "one.zip").read_bytes() != (tmp_path / "two.zip").read_bytes()


def test_it_does_not_matter_where_the_program_is_called(archive: Path, tmp_path: Path) -> None:
    """It packs its own checkout."""
    done = run("here.zip", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.zip").read_bytes() == archive.read_bytes()


def test_only_what_the_functions_need_is_in_it(program: ModuleType, checkout: Path, tmp_path: Path) -> None:
    """No caches, no leftovers, no tests, no sandbox, and nothing that is somebody's own."""
    program.write(tmp_path / "one.zip", checkout)
    with zipfile.ZipFile(tmp_path / "one.zip") as opened:
        assert opened.namelist() == [
            "LICENSE",
            "functions/one/main.py",
            "main.py",
            "requirements.txt",
            "shared/deep/er.py",
            "shared/page.html",
        ]
        assert {(entry.date_time, entry.external_attr >> 16, entry.compress_type) for entry in opened.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 0o100644, zipfile.ZIP_STORED)
        }
        assert opened.read("shared/page.html") == b"content of shared/page.html"


@pytest.mark.parametrize("missing", ["main.py", "requirements.txt", "shared"])
def test_sources_that_are_not_complete_are_refused(program: ModuleType, checkout: Path, tmp_path: Path, missing: str) -> None:
    """What is missing is named, and no archive is left that somebody might deploy."""
    path = checkout / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(program.Unusable, match=missing):
        program.write(tmp_path / "out" / "one.zip", checkout)
    assert not list(tmp_path.glob("out/*"))


def test_a_link_is_refused(program: ModuleType, checkout: Path, tmp_path: Path) -> None:
    """It may lead out of the checkout."""
    (checkout / "shared" / "link.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(program.Unusable, match=r"shared/link\.py"):
        program.write(tmp_path / "one.zip", checkout)


def test_a_wrong_call_says_what_is_right() -> None:
    """Exit code 2, as everywhere."""
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "python deploy/source_archive.py OUT.zip" in done.stderr


@pytest.mark.skipif(
    shutil.which("gcloud") is None, reason="gcloud is not installed; .gcloudignore was not compared with the archive"
)
def test_gcloud_uploads_the_same_files(archive: Path, tmp_path: Path) -> None:
    """`--source .` and the archive are two ways to the same functions."""
    listed = subprocess.run(
        ["gcloud", "meta", "list-files-for-upload", str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
    )
    with zipfile.ZipFile(archive) as opened:
        assert sorted(listed.stdout.split()) == opened.namelist()


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive in a folder where nothing else is."""
    folder = tmp_path_factory.mktemp("workspace")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return folder


def test_every_function_loads_from_the_archive_alone(unpacked: Path) -> None:
    """With what is in it and the locked packages; nothing of the checkout is looked at."""
    load = "import json, main, shared; print(json.dumps([shared.__file__, *(getattr(main, name).__name__ for name in TARGETS)]))"
    code = f"import sys; sys.path.insert(0, {str(unpacked)!r}); TARGETS = {TARGETS!r}; {load}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=unpacked, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [str(unpacked / "shared" / "__init__.py"), *TARGETS]


def test_a_function_serves_from_the_archive_alone(unpacked: Path) -> None:
    """As Google's build starts it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    program = str(Path(sysconfig.get_path("scripts")) / "functions-framework")
    only_of_imports = ("STATE_", "QUEUE_", "GOOGLE_", "PUSH_")
    environment = {
        **{name: value for name, value in ENVIRONMENT.items() if not name.startswith(only_of_imports)},
        "FUNCTION_TARGET": "realtime_event",
        "FUNCTION_SIGNATURE_TYPE": "http",
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "THREADS": "2",
        "REALTIME_DEADLINE_S": "1",
        "PYTHONPATH": str(unpacked),  # else the checkout, which is installed here, would be found first
    }
    started = launch("realtime", [program], environment, unpacked)
    try:
        deadline = time.monotonic() + START_S
        while not is_healthy(url):
            assert time.monotonic() < deadline, "\n".join(started.lines)
            assert started.process.poll() is None, "\n".join(started.lines)
            time.sleep(0.02)
        assert (
            HTTP.post(url, content=b"no notification").status_code == 503
        )  # its dead letter goes to commercetools, which is away
    finally:
        started.kill_group()
