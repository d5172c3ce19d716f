"""Google's own emulators of Firestore and Pub/Sub, each as one Java process straight from the Cloud SDK (platform.md 1)."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.launch import Launched, LaunchError, launch
from shared.local.listening import free_port

PROJECT = "demo-sync"
START_S = 60.0
_HEAP = "-Xmx1g"


class EmulatorsAbsent(RuntimeError):
    """This machine has no Java, or no Google Cloud SDK with both emulators; says which."""


@dataclass(frozen=True, slots=True)
class Emulators:
    """Where both answer, as `host:port`; `environment` is what the client libraries read."""

    firestore: Launched
    pubsub: Launched

    def environment(self, project: str = PROJECT) -> dict[str, str]:
        """The variables that lead Google's client libraries to the emulators, in the Google Cloud project of that id.

        Projects share nothing: one for each test keeps them apart.
        """
        return {
            "FIRESTORE_EMULATOR_HOST": self.firestore.url,
            "PUBSUB_EMULATOR_HOST": self.pubsub.url,
            "GOOGLE_CLOUD_PROJECT": project,
        }


@contextmanager
def emulators() -> Iterator[Emulators]:
    """Both, as long as the context lasts. Raises `EmulatorsAbsent`, or `LaunchError` when one does not come up."""
    java, root = _java(), _sdk_root()
    firestore = root / "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
    pubsub = next((root / "platform/pubsub-emulator/lib").glob("cloud-pubsub-emulator-*-all.jar"), None)
    if not firestore.is_file() or pubsub is None:
        raise EmulatorsAbsent(
            f"the Google Cloud SDK in {root} lacks an emulator; "
            "run: gcloud components install cloud-firestore-emulator pubsub-emulator"
        )
    with ExitStack() as stack:
        main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
        started = [
            _started("firestore", [java, _HEAP, "-Duser.language=en", "-cp", str(firestore), main, "start"], stack),
            _started("pubsub", [java, _HEAP, "-jar", str(pubsub)], stack),
        ]
        for one in started:
            _wait_for_port(one)
        yield Emulators(*started)


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise EmulatorsAbsent("there is no Java here, which Google's emulators need")
    return java


def _sdk_root() -> Path:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        raise EmulatorsAbsent("there is no Google Cloud SDK here (no `gcloud` on the PATH), which brings the emulators")
    return Path(gcloud).resolve().parents[1]


def _started(name: str, command: Sequence[str], stack: ExitStack) -> Launched:
    port = free_port()
    emulator = launch(name, [*command, "--host=127.0.0.1", f"--port={port}"], dict(os.environ))
    stack.callback(emulator.stop, 5)
    emulator.url = f"127.0.0.1:{port}"
    return emulator


def _wait_for_port(emulator: Launched) -> None:
    host, port = emulator.url.split(":")
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and emulator.process.poll() is None:
        try:
            with socket.create_connection((host, int(port)), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise LaunchError(f"the {emulator.name} emulator did not come up: {list(emulator.lines)[-5:]}")
