"""Whether a folder is what the builder makes of this checkout, and nothing else: what is pushed as a tag is published."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.connect.bundle import LOCK, WHEELS, pinned_python, write_sources
from deploy.connect.wheels import hashes_in, lock_of, named_by, sha256_of

_LOCK_OF_WHEELS = f"{WHEELS}/requirements.txt"


def faults(bundle: Path, lock: Path = LOCK) -> list[str]:
    """What of `bundle` is too much, missing or different from what the builder writes; none: all is well.

    Everything but the wheels is written anew and compared by its bytes, so that version and Python are those of this checkout;
    wheels are compared with the hashes of `lock`. Raises `OSError`.
    """
    found = {path.relative_to(bundle).as_posix(): path for path in sorted(bundle.rglob("*")) if not _is_plain_folder(path)}
    wheels = {name: path for name, path in found.items() if path.parent == bundle / WHEELS and path.suffix == ".whl"}
    with tempfile.TemporaryDirectory() as folder:
        rewritten = Path(folder) / "bundle"
        write_sources(rewritten, pinned_python())
        wanted = {path.relative_to(rewritten).as_posix(): path for path in rewritten.rglob("*") if path.is_file()}
        known = {*wanted, *wheels, _LOCK_OF_WHEELS}
        said = [f"{name} is no part of a bundle" for name in found if name not in known or found[name].is_symlink()]
        said += [f"{name} is missing" for name in sorted({*wanted, _LOCK_OF_WHEELS}) if name not in found]
        compared = [name for name in wanted if name in found and not found[name].is_symlink()]
        said += [
            f"{name} differs from what the builder of this checkout writes"
            for name in compared
            if found[name].read_bytes() != wanted[name].read_bytes()
        ]
    return said or list(_faults_of_wheels(bundle / WHEELS, list(wheels.values()), lock))


def _faults_of_wheels(folder: Path, wheels: list[Path], lock: Path) -> Iterator[str]:
    missing = hashes_in(lock, pinned_python())
    for wheel in wheels:
        try:
            allowed = missing.pop(named_by(wheel), frozenset())
        except ValueError:
            allowed = frozenset()
        if sha256_of(wheel) not in allowed:
            yield f"{WHEELS}/{wheel.name} is not in {lock.name}"
            return
    if missing:
        yield f"{WHEELS} has no {min(missing)[0]}"
    elif (folder / "requirements.txt").read_text("utf-8") != lock_of(folder):
        yield f"{_LOCK_OF_WHEELS} is not the lock of the wheels beside it"


def _is_plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
