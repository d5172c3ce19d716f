"""Assembles the bundle for Connect; the same sources always give the same bytes, from any folder and on any machine.

connect.yaml, LICENSE, README.md
realtime_event/package.json, package-lock.json, python.json, python.sh
realtime_event/src/      the Python sources, and what builds, starts and tests them
realtime_event/wheels/   what the sources import, with a lock
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grimp

from deploy.connect.wheels import download_wheels
from deploy.source_archive import Unusable, files_below
from shared.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "deploy" / "connect"
LOCK = ROOT / "requirements-connect.txt"
PIN = "python.json"
APPLICATION = "realtime_event"
"""The application's name in connect.yaml, which must be that of its folder (commercetools.md 7)."""

WHEELS = f"{APPLICATION}/wheels"
AT_ITS_ROOT = frozenset({"connect.yaml", "LICENSE", "README.md", APPLICATION})
"""All that a bundle has at its root."""

ENTRIES = ("functions.realtime_event.main", "post_deploy.__main__", "post_deploy.pre_undeploy")
"""What is run there; the bundle has whatever they import."""

LOADED_ELSEWHERE = frozenset({"shared.sqlite.database", "shared.sqlite.dead_letters", "shared.google_tokens"})
"""Imported inside of functions that do not call for them where a platform runs us (ADR 0018)."""

_TIME_S = 315_619_200  # 1980-01-02 in UTC: in every time zone a time that archives can express
_MODE, _FOLDER_MODE = 0o644, 0o755


@dataclass(frozen=True, slots=True)
class Written:
    """What a bundle came to: `digest` is a SHA-256 over the names and contents of its files."""

    files: int
    size_bytes: int
    wheels_bytes: int
    digest: str


def pinned_python() -> str:
    """The version, such as `3.12`, of the Python that the bundle fetches for itself."""
    return str(_pin()["wheels"])


def write(out: Path, python: str, wheels: Path | None = None) -> Written:
    """Write the bundle for CPython `python` as the folder `out`, replacing an older one; `wheels`: a folder to take them from.

    For another version than the pinned one the bundle has no archive to fetch: whoever builds it gives it an interpreter.
    Raises `Unusable`, also where `out` is a folder of something else, and `OSError`.
    """
    if os.path.lexists(out) and not _is_bundle(out):
        raise Unusable(f"{out} is there and is no bundle; name another folder")
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        write_sources(unfinished, python)
        download_wheels(LOCK, python, unfinished / WHEELS, wheels)
        _settle(unfinished)
        written = _written(unfinished)
        shutil.rmtree(out, ignore_errors=True)
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return written


def write_sources(folder: Path, python: str) -> None:
    """Write all of a bundle but its wheels, as the new `folder`. Raises `OSError`."""
    folder.mkdir(parents=True)
    for name in ("connect.yaml", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copyfile(TEMPLATE / "README.md", folder / "README.md")
    application = folder / APPLICATION
    _copy_sources(application)
    _write_package(application)
    _write_json(application / PIN, _pin() if python == pinned_python() else {"wheels": python, "archive": None})


@cache
def bundled_modules() -> frozenset[str]:
    """The names of our modules that run there, and of the packages that they are in."""
    graph = grimp.build_graph("functions", "post_deploy", "shared", cache_dir=None)
    found: set[str] = set()
    to_follow = list(ENTRIES)
    while to_follow:
        name = to_follow.pop()
        if name not in found and name not in LOADED_ELSEWHERE:
            found.add(name)
            to_follow += [*graph.find_modules_directly_imported_by(name), *filter(None, [name.rpartition(".")[0]])]
    return frozenset(found)


def source_files() -> Iterator[Path]:
    """The product's own sources that the bundle has."""
    yield ROOT / "main.py"
    for name in sorted(bundled_modules()):
        path = ROOT / name.replace(".", "/")
        yield path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _is_bundle(folder: Path) -> bool:
    """Whether a builder has written it, so that it may be replaced: a clone's root has connect.yaml, too, and much more."""
    is_folder = folder.is_dir() and not folder.is_symlink()
    return is_folder and {path.name for path in folder.iterdir()} == AT_ITS_ROOT and (folder / APPLICATION / PIN).is_file()


def _copy_sources(application: Path) -> None:
    for path in source_files():
        _copy(path, application / "src" / path.relative_to(ROOT))
    for path in files_below(TEMPLATE / APPLICATION):
        _copy(path, application / path.relative_to(TEMPLATE / APPLICATION))


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def _write_package(application: Path) -> None:
    """The package file in the product's version, and its lock, which says that there are no dependencies."""
    path = application / "package.json"
    package: dict[str, Any] = {**json.loads(path.read_text("utf-8")), "version": VERSION}
    _write_json(path, package)
    named = {key: package[key] for key in ("name", "version")}
    root = {**named, **{key: package[key] for key in ("license", "engines")}}
    _write_json(application / "package-lock.json", {**named, "lockfileVersion": 3, "requires": True, "packages": {"": root}})


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _pin() -> dict[str, Any]:
    pin: dict[str, Any] = json.loads((TEMPLATE / PIN).read_text("utf-8"))
    return pin


def _settle(folder: Path) -> None:
    """Give everything below the same time and modes; who runs the scripts names their interpreter."""
    for path in [*folder.rglob("*"), folder]:
        path.chmod(_FOLDER_MODE if path.is_dir() else _MODE)
        os.utime(path, (_TIME_S, _TIME_S))


def _written(folder: Path) -> Written:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    sizes = {name: (folder / name).stat().st_size for name in names}
    digests = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()} {name}\n" for name in names]
    return Written(
        files=len(names),
        size_bytes=sum(sizes.values()),
        wheels_bytes=sum(size for name, size in sizes.items() if name.endswith(".whl")),
        digest=hashlib.sha256("".join(digests).encode()).hexdigest(),
    )
