"""Which tests cite which acceptance case; run as a program, brings the right column of docs/acceptance-cases.md up to date."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from docs_pages import ROOT, page

PAGE = page("docs/acceptance-cases.md")

_CITED = re.compile(r"\b[Cc]ases? (\d+(?:(?:, | and | to |, and )\d+)*)")
_MAY_CITE = re.compile(r"\b[Cc]ases?\s+\d")
_ROW = re.compile(r"^\| (\d+) \| (.+?) \|(.*)\|$", re.MULTILINE)


def rows() -> list[tuple[int, str, str]]:
    """Number, sentence and test modules of each case, as the page has them."""
    return [(int(number), sentence, shown.strip()) for number, sentence, shown in _ROW.findall(PAGE.text)]


def named(text: str) -> set[int]:
    """The cases that a docstring cites: "Case 7", "cases 36 to 51, 57, 58"."""
    found: set[int] = set()
    for numbers in _CITED.findall(" ".join(text.split())):
        for part in re.split(r", and |, | and ", numbers):
            first, _, last = part.partition(" to ")
            found |= set(range(int(first), int(last or first) + 1))
    return found


def cited_by_modules() -> dict[int, set[Path]]:
    """The modules that cite each case: in their own docstring, or in that of one of their tests."""
    return _gathered((path, text) for path, of_module, of_tests in _docstrings() for text in (of_module, *of_tests))


def cited_by_tests() -> dict[int, set[Path]]:
    """The modules that have a test whose own docstring cites the case."""
    return _gathered((path, text) for path, _, of_tests in _docstrings() for text in of_tests)


def shown_by(paths: set[Path]) -> str:
    """The right column: links to the modules, by name."""
    links = (f"[`{path.stem}`](../{path.relative_to(ROOT).as_posix()})" for path in sorted(paths, key=lambda path: path.stem))
    return ", ".join(links)


def _gathered(docstrings: Iterator[tuple[Path, str]]) -> dict[int, set[Path]]:
    found: defaultdict[int, set[Path]] = defaultdict(set)
    for path, text in docstrings:
        for number in named(text):
            found[number].add(path)
    return dict(found)


@cache
def _docstrings() -> list[tuple[Path, str, list[str]]]:
    """Each test module that may cite a case, with its docstring and those of its tests."""
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name != "test_docs_acceptance_cases.py" and _MAY_CITE.search(text):
            tree = ast.parse(text)
            tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
            found.append((path, ast.get_docstring(tree) or "", [ast.get_docstring(test) or "" for test in tests]))
    return found


def updated() -> str:
    """The page with the right column as it has to be."""
    modules = cited_by_modules()
    return _ROW.sub(lambda row: f"| {row[1]} | {row[2]} | {shown_by(modules.get(int(row[1]), set()))} |", PAGE.text)


if __name__ == "__main__":
    PAGE.path.write_text(updated(), encoding="utf-8")
