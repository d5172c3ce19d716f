"""The acceptance cases that the tests of imports have to cite, each by its number, in the docstring of what asserts it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

CASES = range(76, 98)
"""The numbers of the cases that are the imports'."""
FILES = ("test_bulk_*.py", "test_import_api.py", "test_kill.py", "test_two_starts.py", "test_reimport.py", "test_faults.py")


def test_every_case_is_cited_by_a_test() -> None:
    """By the word Case and the number, in the docstring of a test of this folder."""
    cited = {
        int(number)
        for pattern in FILES
        for path in Path(__file__).parent.glob(pattern)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for number in re.findall(r"\bCase (\d+)\b", ast.get_docstring(node) or "")
    }
    assert sorted(set(CASES) - cited) == []
