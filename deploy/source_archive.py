"""The archive that Google builds the functions from: `python deploy/source_archive.py OUT.zip`.

It holds only what the functions need, and the same sources always give the same bytes, from any folder and on any machine: sorted
names, fixed times and modes, and no compression, whose result depends on the compressor's version. So its hash changes when,
and only when, the functions do (platform.md 4). Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

FILES = ("LICENSE", "main.py", "requirements.txt")
"""Files at the root that the functions need; `.gcloudignore` names the same."""

FOLDERS = ("functions", "shared")
"""Folders whose every file they need, but for what Python and editors leave there."""

_LEFTOVERS = (".pyc", ".pyo", "~")
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that the format can express
_MODE = 0o100644
_UNIX = 3


class Unusable(Exception):
    """The sources cannot be packed; the message says why."""


def members(root: Path) -> list[str]:
    """The names of all files that belong into the archive, sorted, with `/` between folders.

    Raises `Unusable` for a file that is missing, and for a link, which may lead anywhere.
    """
    found = list(FILES)
    for folder in FOLDERS:
        found += [path.relative_to(root).as_posix() for path in files_below(root / folder)]
    for name in found:
        path = root / name
        if path.is_symlink() or not path.is_file():
            raise Unusable(f"{name} is missing, or no plain file")
    return sorted(found)


def write(out: Path, root: Path = ROOT) -> int:
    """Write the archive of the sources under `root`, replacing an older one at once; the number of its files.

    Raises `Unusable` and `OSError`.
    """
    names = members(root)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for name in names:
                archive.writestr(_entry(name), (root / name).read_bytes())
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return len(names)


def main(arguments: list[str]) -> int:
    """The program; 0 when the archive was written, 2 when it was called wrongly, 1 when it could not be."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python deploy/source_archive.py OUT.zip\n")
        return 2
    out = Path(arguments[0])
    try:
        count = write(out)
        digest = hashlib.sha256(out.read_bytes()).hexdigest()
    except (Unusable, OSError) as error:
        sys.stderr.write(f"the archive could not be written: {error}\n")
        return 1
    sys.stdout.write(f"{out}: {count} files, {out.stat().st_size:,} bytes, sha256 {digest}\n")
    return 0


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in no order, but for what Python and editors leave there. Raises `Unusable` for no folder."""
    if folder.is_symlink() or not folder.is_dir():
        raise Unusable(f"{folder.name} is missing, or no folder")
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name == "__pycache__" or path.name.endswith(_LEFTOVERS):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files_below(path)
        else:
            yield path


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = _MODE << 16
    entry.create_system = _UNIX
    return entry


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
