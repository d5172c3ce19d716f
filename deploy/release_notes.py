"""The changelog's entry of a version: `python deploy/release_notes.py v0.1.0`.

It refuses a tag that is not the version of these sources, and a version without an entry. Standard library only: it runs before
anything is installed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def notes(tag: str, version_py: str, changelog: str) -> str:
    """The entry's text. Raises ValueError, which says what does not fit."""
    version = re.search(r'^VERSION = "([^"]+)"$', version_py, re.MULTILINE)
    if version is None or tag != f"v{version[1]}":
        raise ValueError(
            f"the tag {tag} is not the version in shared/version.py, which is {version[1] if version else 'not there'}"
        )
    entry = re.search(rf"^## {re.escape(version[1])}\b[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if entry is None or not entry[1].strip():
        raise ValueError(f"CHANGELOG.md has no entry for {version[1]}")
    return entry[1].strip()


def main(arguments: Sequence[str]) -> int:
    """Print the entry; 1 when tag, version and changelog do not fit together, 2 for wrong usage."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python deploy/release_notes.py TAG\n")
        return 2
    try:
        text = notes(arguments[0], (ROOT / "shared/version.py").read_text("utf-8"), (ROOT / "CHANGELOG.md").read_text("utf-8"))
    except ValueError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
