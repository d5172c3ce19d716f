"""Dockerfile, .dockerignore and compose.yaml, read for the tests; what the readers of the first two do not know, they refuse."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "compose.yaml"

_KNOWN = {"ARG", "FROM", "ENV", "WORKDIR", "RUN", "COPY", "LABEL", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals, and what stands behind it in one line."""

    name: str
    text: str

    @property
    def exec_form(self) -> list[str]:
        """The words of a command that no shell takes apart; raises where a shell would."""
        words = json.loads(self.text[self.text.index("[") :])
        assert isinstance(words, list)
        return words


@dataclass(frozen=True)
class Stage:
    """What one FROM begins."""

    base: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[Instruction]:
        """Its instructions of one name."""
        return [instruction for instruction in self.instructions if instruction.name == name]

    def only(self, name: str) -> Instruction:
        """Its one instruction of that name."""
        (found,) = self.all(name)
        return found

    @property
    def environment(self) -> dict[str, str]:
        """What its ENV instructions set; a reference to an earlier value stays as it is."""
        words = [word for instruction in self.all("ENV") for word in shlex.split(instruction.text)]
        return dict(word.split("=", 1) for word in words)

    def copied(self) -> Iterator[tuple[list[str], str]]:
        """Sources in the build's context and the target of each COPY from there."""
        for instruction in self.all("COPY"):
            words = shlex.split(instruction.text)
            if not words[0].startswith("--from="):
                yield words[:-1], words[-1]


def dockerfile() -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage with their defaults, and the stages."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    arguments: dict[str, str] = {}
    begun: list[tuple[str, list[Instruction]]] = []
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if not line.strip():
            continue
        name, rest = line.split(maxsplit=1)
        assert name in _KNOWN, name
        if name == "FROM":
            begun.append((rest.split()[0], []))
        elif begun:
            begun[-1][1].append(Instruction(name, rest))
        else:
            assert name == "ARG", f"{name} before FROM"
            arguments.update([rest.split("=", 1)])
    return arguments, [Stage(base, tuple(instructions)) for base, instructions in begun]


def is_ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path from the root out of a build: the last pattern that fits it, or a parent, wins."""
    parts = path.split("/")
    candidates = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = re.compile(_expression(line.removeprefix("!")))
            if any(pattern.fullmatch(candidate) for candidate in candidates):
                ignored = not line.startswith("!")
    return ignored


def _expression(pattern: str) -> str:
    assert re.fullmatch(r"(\*\*/)?[\w.*-]+", pattern), f"another reading of .dockerignore is needed for {pattern}"
    start, name = ("(?:.*/)?", pattern[3:]) if pattern.startswith("**/") else ("", pattern)
    return start + "".join("[^/]*" if character == "*" else re.escape(character) for character in name)


def context() -> Iterator[str]:
    """Every file that a build is given, as a path from the root."""
    for top in sorted(ROOT.iterdir()):
        if is_ignored(top.name):
            continue  # no pattern lets anything below it through again: they all are names, of the root or of anywhere
        if top.is_file():
            yield top.name
        for folder, _, names in os.walk(top):
            for name in names:
                path = (Path(folder) / name).relative_to(ROOT).as_posix()
                if not is_ignored(path):
                    yield path


def compose() -> dict[str, Any]:
    """compose.yaml."""
    read = YAML(typ="safe").load(COMPOSE)
    assert isinstance(read, dict)
    return read
