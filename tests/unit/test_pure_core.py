"""What calls itself pure is held to it by an import rule (decisions.md 3)."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
(PURE,) = [contract["source_modules"] for contract in CONTRACTS if contract["name"].startswith("The pure core")]


def test_every_module_that_says_it_is_pure_is_in_the_pure_core() -> None:
    """The word in a docstring is a promise that `lint-imports` keeps."""
    says_so = {name for name, docstring in _docstrings().items() if re.search(r"\bPure\b", docstring)}
    assert len(says_so) > 20
    assert {name for name in says_so if not any(f"{name}.".startswith(f"{listed}.") for listed in PURE)} == set()


def test_the_pure_core_is_listed_once_and_exists() -> None:
    """A module that is renamed does not leave it unseen."""
    assert len(PURE) == len(set(PURE))
    assert set(PURE) <= _docstrings().keys()


def _docstrings() -> dict[str, str]:
    """The docstring of every module and package of the product, by its name; empty where it has none."""
    found = {}
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "post_deploy").rglob("*.py"), *(ROOT / "deploy").rglob("*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return found
