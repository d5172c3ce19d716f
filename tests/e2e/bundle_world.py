"""The bundle for Connect as a platform has it: built once, copied alone to an empty folder, and run there by npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sandbox.launch import Sandbox
from shared.local.listening import free_port
from tests.e2e.realtime_world import Function, Functions, World

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""The bundle that is run here has the wheels of the Python at hand; the real one has those of the Python that it fetches."""

APPLICATION = "realtime_event"
HOST = "connector.example.com"
"""The name by which a platform calls the bundle, which is none of this machine's."""

TOPIC = {"CONNECT_GCP_TOPIC_NAME": "connector-topic", "CONNECT_GCP_PROJECT_ID": "connector-project"}
STARTED_WITHIN_S = 30.0
_PIP_SET_UP = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE")


def needed_programs() -> dict[str, str]:
    """Where npm, node, sh and tar are; skips where one is absent, or this is not the kind of machine that Connect has."""
    found = {name: shutil.which(name) for name in ("npm", "node", "sh", "tar")}
    absent = [name for name, path in found.items() if path is None]
    if absent:
        pytest.skip(f"{', '.join(absent)} is not installed, so the bundle for Connect was not run")
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("the bundle for Connect runs on Linux on x86-64 only, so it was not run")
    return {name: path for name, path in found.items() if path is not None}


def begin_building(out: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """The builder at work, somewhere else than in the repository."""
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.connect", "--out", str(out), *options],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def digest(building: subprocess.Popen[str]) -> str:
    """The digest of what was built; skips where no package index is reached, and where pip is told to ask none.

    A wheel of another content, or one that the index lacks, is a failure.
    """
    said, complaint = building.communicate(timeout=240)
    if "(no package index was reached)" in complaint or ("(one is nowhere" in complaint and _pip_asks_no_index()):
        pytest.skip("no package index is reached, so the bundle for Connect was not built")
    assert building.returncode == 0, complaint
    return said.rpartition("sha256 ")[2].strip()


def _pip_asks_no_index() -> bool:
    return os.environ.get("PIP_NO_INDEX", "").strip().lower() in {"1", "true", "yes", "on", "y", "t"}


def without_index() -> dict[str, str]:
    """The environment in which pip knows no index and no folder with wheels."""
    return {**dict.fromkeys(_PIP_SET_UP, ""), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}


@dataclass(frozen=True)
class Bundle:
    """The application's folder, alone, and the whole environment of what is run in it."""

    folder: Path
    environment: Mapping[str, str]

    def npm(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run npm to its end."""
        return subprocess.run(
            ["npm", *words],
            cwd=self.folder,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @contextmanager
    def started(self, output: Path, **more: str) -> Iterator[Started]:
        """`npm start`, answering; whatever is left of it ends with the context."""
        port = free_port()
        begun = time.monotonic()
        with output.open("wb") as written:
            process = subprocess.Popen(
                ["npm", "start"],
                cwd=self.folder,
                env={**self.environment, **more, "PORT": str(port)},
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                start_new_session=True,
            )
        function = Function(f"http://127.0.0.1:{port}", process, output, output.with_suffix(".no-state"))
        try:
            while not function.is_alive():
                if process.poll() is not None or time.monotonic() - begun > STARTED_WITHIN_S:
                    pytest.fail(f"npm start did not come up:\n{output.read_text()[-4000:]}")
                time.sleep(0.01)
            yield Started(function, time.monotonic() - begun)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()


@dataclass(frozen=True)
class Started:
    """A running bundle, and how long it took to its first answer."""

    function: Function
    started_in_s: float

    def processes(self) -> list[psutil.Process]:
        """npm and all below it."""
        npm = psutil.Process(self.function.process.pid)
        return [npm, *npm.children(recursive=True)]

    def resident_bytes(self) -> int:
        """Of all processes together; what several share counts several times."""
        return sum(process.memory_info().rss for process in self.processes())

    def world(self, servers: Sandbox, folder: Path) -> World:
        """Both simulators with the bundle between them."""
        world = World(Functions(servers, folder), self.function)
        world.klaviyo_settings()
        world.klaviyo_fails()
        world.commercetools_fails()
        world.watch()
        return world


def settings_of(servers: Sandbox) -> dict[str, str]:
    """What connect.yaml asks for, for the simulators, as Connect gives it to the application and to the scripts."""
    known = servers.environment(Path("unused"), 0)
    names = ("CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "CT_API_CLIENT", "KLAVIYO_AUTH_KEY", "KLAVIYO_API_URL")
    return {**{name: known[name] for name in names}, "CONNECT_ENV": "connect_test", "LOG_LEVEL": "INFO"}


def bare_environment(programs: Mapping[str, str], home: Path) -> dict[str, str]:
    """What a platform has set before anybody has set anything: where programs are, and a home that is empty."""
    folders = dict.fromkeys([*(str(Path(path).parent) for path in programs.values()), "/usr/bin", "/bin"])
    quiet = {"npm_config_update_notifier": "false", "npm_config_offline": "true"}
    return {"PATH": os.pathsep.join(folders), "HOME": str(home), **quiet}
