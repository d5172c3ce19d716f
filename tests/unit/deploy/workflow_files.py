"""The GitHub workflows, taken apart for the tests that keep them safe and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".github" / "workflows"


@dataclass(frozen=True)
class Workflow:
    """One file: its text, and what it says."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = YAML(typ="safe").load(self.text)
        return content

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        jobs: dict[str, dict[str, Any]] = self.content["jobs"]
        return jobs

    @property
    def steps(self) -> list[dict[str, Any]]:
        return [step for job in self.jobs.values() for step in job.get("steps", [])]

    @property
    def runs(self) -> list[str]:
        """What shells run."""
        return [step["run"] for step in self.steps if "run" in step]


def workflows() -> list[Workflow]:
    """All of them."""
    return [Workflow(path) for path in sorted(FOLDER.glob("*.y*ml"))]


def workflow(name: str) -> Workflow:
    """The one of that name."""
    return Workflow(FOLDER / f"{name}.yml")


def resolved(text: object, known: dict[str, str]) -> str:
    """A value with its expressions replaced; an unknown name of `vars` or `inputs` is empty, as on GitHub."""

    def replace(match: re.Match[str]) -> str:
        names = [name.strip() for name in match[1].split("||")]
        assert all(re.fullmatch(r"(vars|inputs|secrets|needs|github)\.[\w.]+", name) for name in names), match[0]
        return next((known[name] for name in names if known.get(name)), "")

    return re.sub(r"\$\{\{(.*?)\}\}", replace, str(text))


def commands(script: str, program: str) -> Iterator[list[str]]:
    """The words after each call of `program` in a script; quotes and everything from a redirection on are dropped."""
    for line in script.splitlines():
        for match in re.finditer(rf"{re.escape(program)} ([^>)|&;]*)", line):
            yield match[1].replace('"', "").split()
