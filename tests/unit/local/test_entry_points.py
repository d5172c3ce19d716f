"""The root main.py resolves the functions' entry points lazily."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import main

ROOT = Path(main.__file__).parent


def environment_of(folder: Path) -> dict[str, str]:
    """What a function is told; neither host answers."""
    return {
        "PATH": os.environ["PATH"],
        "CT_API_URL": "http://127.0.0.1:9",
        "CT_AUTH_URL": "http://127.0.0.1:9",
        "CT_PROJECT_ID": "tiny-project",
        "CT_API_CLIENT": '{"clientId": "id", "secret": "not-a-secret"}',
        "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
        "STATE_PATH": str(folder / "state.sqlite3"),
    }


def test_looking_at_main_loads_no_function() -> None:
    """Importing the root module imports none of the functions, so that each pays only for itself."""
    check = "import sys, main; print(sorted(name for name in sys.modules if name.startswith(('functions', 'shared'))))"
    shown = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_every_entry_point_names_a_module_of_the_same_name() -> None:
    """`bulk_worker` is found in `functions.bulk_worker.main`, and so on."""
    for name, module in main.ENTRY_POINTS.items():
        assert module == f"functions.{name}.main"
        assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("name", sorted(main.ENTRY_POINTS))
def test_an_entry_point_is_the_function_of_that_name(name: str, tmp_path: Path) -> None:
    """Asking the root module for a name gives the function that the framework serves."""
    environment = environment_of(tmp_path)
    check = f"import main, types; print(type(main.{name}) is types.FunctionType, main.{name}.__name__)"
    shown = subprocess.run([sys.executable, "-c", check], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["True", name]


def test_other_names_do_not_exist() -> None:
    """Any other name is an ordinary missing attribute."""
    with pytest.raises(AttributeError, match="nonsense"):
        main.nonsense  # noqa: B018 - looking is the point


@pytest.mark.parametrize("name", sorted(main.ENTRY_POINTS))
def test_a_function_loads_nothing_for_terminals(name: str, tmp_path: Path) -> None:
    """Two of its libraries would; they do without, and what was kept from them can be imported afterwards."""
    environment = environment_of(tmp_path)
    check = f"import main, sys; main.{name}; print({{'rich', 'pygments', 'typer'}} & set(sys.modules)); import rich.console"
    shown = subprocess.run([sys.executable, "-c", check], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
