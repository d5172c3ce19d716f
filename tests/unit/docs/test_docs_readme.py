"""The README's first screen works, and its tree is the repository's."""

from __future__ import annotations

import re
from pathlib import Path

from docs_pages import ROOT, page

from shared.bulk.http.api import OFFERED
from shared.bulk.records import LINKS
from shared.mapping.result import Adjustment, SkipReason

README = page("README.md")
PASSED_OVER = {"build", "dist"}
FIRST_SCREEN_LINES = 30


def test_the_first_screen_has_a_command_that_works_without_an_account() -> None:
    """Whoever opens the page sees what to type."""
    first = "\n".join(README.text.splitlines()[:FIRST_SCREEN_LINES])
    assert re.search(r"```sh\nmake demo\n```", first)
    assert re.search(r"```sh\nmake test\n```", README.text)


def test_the_demos_output_names_reasons_that_exist() -> None:
    """The sample of the demo's output is no invention."""
    shown = next(body for _, body in README.fences if "seen 300" in body)
    reasons = set(re.findall(r"^\d+ +(\w+)$", shown, re.MULTILINE))
    assert {"invalid", "phone_shared"} <= reasons
    assert reasons - {"invalid"} <= {*map(str, SkipReason), *map(str, Adjustment)}
    sums = [list(map(int, re.findall(r"\d+", line.replace(",", "")))) for line in shown.splitlines() if "seen" in line]
    assert [sum(column) for column in zip(*sums[1:], strict=True)] == sums[0]
    for seen, sent, skipped, failed in sums:
        assert seen == sent + skipped + failed


def test_the_demos_output_is_that_of_all_kinds() -> None:
    """In the order in which they are imported."""
    shown = next(body for _, body in README.fences if "seen 300" in body)
    assert re.findall(r"^(\w+): \w", shown, re.MULTILINE) == ["all", *map(str, LINKS)]


def test_the_tree_is_that_of_the_repository() -> None:
    """Every folder and single module that is shown exists, and none is missing."""
    parents = ("functions", "shared", "shared/bulk", "shared/realtime", "deploy", "sandbox")
    folders = {f"{parent}/{name}/" for parent in parents for name in _folders(ROOT / parent)}
    modules = {
        path.relative_to(ROOT).as_posix()
        for parent in (ROOT, ROOT / "functions", ROOT / "shared")
        for path in parent.glob("*.py")
        if path.name != "__init__.py"
    }
    assert _shown() == {f"{name}/" for name in _folders(ROOT)} | folders | modules


def test_what_is_unproven_is_said_where_it_is_offered() -> None:
    """Whoever chooses a platform reads that Python on Connect is outside the vendor's list before any page on it."""
    assert set(OFFERED) == set(LINKS)
    section = " ".join(README.section("Where it runs").split())
    assert "outside the vendor's list" in section
    assert "unproven until a preview deployment has succeeded" in section


def _folders(parent: Path) -> set[str]:
    """Folders that hold files of the project: no caches, no hidden ones, nothing that is built."""
    return {
        path.name
        for path in parent.iterdir()
        if path.is_dir()
        and not path.name.startswith((".", "__"))
        and not path.name.endswith(".egg-info")
        and path.name not in PASSED_OVER
        and any(file.suffix in {".py", ".json", ".md", ".html"} for file in path.rglob("*"))
    }


def _shown() -> set[str]:
    """Paths from the root; a folder ends in a slash."""
    block = re.search(r"^```\n(main\.py .*?)^```", README.text, re.MULTILINE | re.DOTALL)
    assert block
    shown: set[str] = set()
    parents: list[str] = []
    for line in block[1].splitlines():
        indent, name = re.match(r"( *)([a-z_]+(?:/|\.py)) ", line).groups()  # type: ignore[union-attr] # a line that is none fails the test
        depth = len(indent) // 2
        parents = [*parents[:depth], name]
        shown.add("".join(parents))
    return shown
