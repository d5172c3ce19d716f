"""The written pages of the project, taken apart for the tests that keep them true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[3]

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)|``([^\n]+?)``")
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)|<(https?://[^>\s]+)>", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One Markdown file; `name` is its path from the root."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def fences(self) -> list[tuple[str, str]]:
        """The fenced blocks: language and content, indentation removed."""
        found = _FENCE.findall(self.text)
        return [(language, "\n".join(line.strip() for line in body.splitlines())) for language, body in found]

    @cached_property
    def prose(self) -> str:
        """The page without its fenced blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def spans(self) -> list[str]:
        """What stands in backticks."""
        return [single or double for single, double in _SPAN.findall(self.prose)]

    @cached_property
    def links(self) -> list[str]:
        """The targets of all links."""
        plain = re.sub(r"(?<!`)`[^`\n]+`(?!`)", "code", self.prose)
        return [first or second or third for first, second, third in _LINK.findall(plain)]

    @cached_property
    def anchors(self) -> set[str]:
        """The fragments that GitHub gives the headings."""
        found: dict[str, int] = {}
        anchors = set()
        for _, heading in _HEADING.findall(self.prose):
            slug = _slug(heading)
            number = found.get(slug, 0)
            found[slug] = number + 1
            anchors.add(f"{slug}-{number}" if number else slug)
        return anchors

    def section(self, heading: str) -> str:
        """What stands under a heading, its subsections included; raises AssertionError when there is no such heading."""
        headings = [(match.start(), match.end(), len(match[1]), match[2]) for match in _HEADING.finditer(self.prose)]
        for index, (_, end, level, title) in enumerate(headings):
            if title == heading:
                following = (start for start, _, other, _ in headings[index + 1 :] if other <= level)
                return self.prose[end : next(following, None)]
        raise AssertionError(f"{self.name} has no heading {heading!r}")

    def table(self, heading: str) -> list[list[str]]:
        """The rows of the tables under a heading, without their heads; `\\|` stays a bar within a cell."""
        rows = []
        lines = self.section(heading).splitlines()
        for number, line in enumerate(lines):
            if line.startswith("|") and number and lines[number - 1].startswith("|") and not line.startswith("|---"):
                rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        return rows

    def codes(self, heading: str, column: int = 0) -> set[str]:
        """Everything in backticks in one column of the tables under a heading."""
        return {single or double for row in self.table(heading) for single, double in _SPAN.findall(row[column])}

    def commands(self) -> Iterator[str]:
        """Every command line in the page: shell blocks, and spans that begin with a program of ours."""
        for language, body in self.fences:
            if language == "sh":
                for line in body.replace("\\\n", " ").splitlines():
                    yield from (part.strip() for part in line.split("&&"))
        yield from (span for span in self.spans if span.startswith(("make ", "ct-klaviyo ", "python -m ")))


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return "".join(character for character in plain if character.isalnum() or character in " -_").strip().replace(" ", "-")


def pages() -> list[Page]:
    """README, changelog and everything under docs."""
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [Page(path) for path in found]


def page(name: str) -> Page:
    """One page by its path from the root."""
    return Page(ROOT / name)


@cache
def product_calls() -> list[tuple[str, ast.Call]]:
    """Every call in the product's code, with the file that it stands in."""
    return [(path, node) for path, node in _product_nodes() if isinstance(node, ast.Call)]


def product_texts() -> list[str]:
    """Every text in the product's code; what an f-string puts in becomes `…`."""
    texts: list[str] = []
    for _, node in _product_nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            texts.append("".join(str(part) for part in parts))
    return texts


def _product_nodes() -> Iterator[tuple[str, ast.AST]]:
    """Everything in the product's code, with the file that it stands in."""
    for folder in ("shared", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield path.relative_to(ROOT).as_posix(), node


def called(node: ast.Call) -> str:
    """The last name of what is called: `tally.failed(...)` is `failed`."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def constants(node: ast.Call) -> list[object]:
    """The values of the constant positional arguments, in order; None for the others."""
    return [argument.value if isinstance(argument, ast.Constant) else None for argument in node.args]
