"""The root main.py resolves the functions' entry points lazily."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import main


def test_looking_at_main_loads_no_function() -> None:
    """Importing the root module imports none of the functions, so that each pays only for itself."""
    check = "import sys, main; print(sorted(name for name in sys.modules if name.startswith(('functions', 'shared'))))"
    shown = subprocess.run(
        [sys.executable, "-c", check], cwd=Path(main.__file__).parent, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"


def test_every_entry_point_names_a_module_of_the_same_name() -> None:
    """`bulk_worker` is found in `functions.bulk_worker.main`, and so on."""
    for name, module in main.ENTRY_POINTS.items():
        assert module == f"functions.{name}.main"
        assert importlib.util.find_spec(module) is not None


def test_an_entry_point_is_the_function_of_that_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Asking for a name imports its module and gives the function in it."""
    (tmp_path / "elsewhere.py").write_text("def bulk_worker(request):\n    return 'done'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(main.ENTRY_POINTS, "bulk_worker", "elsewhere")
    assert main.bulk_worker("request") == "done"


def test_other_names_do_not_exist() -> None:
    """Any other name is an ordinary missing attribute."""
    with pytest.raises(AttributeError, match="nonsense"):
        main.nonsense  # noqa: B018 - looking is the point
