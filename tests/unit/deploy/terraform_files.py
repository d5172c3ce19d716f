"""The Terraform module as text, for what is compared with the code, and the stand-in that checks it without an account."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from vendor_contracts import BESIDE, NO_TERRAFORM_CHECK

ROOT = Path(__file__).resolve().parents[3]
MODULE = ROOT / "terraform"
EXAMPLE = MODULE / "examples" / "basic"
CHECK = BESIDE / "tools" / "terraform-check"

_BLOCK = r'^{kind} "{name}"[^{{]*\{{\n(.*?)^\}}$'


def _absent() -> str:
    if not CHECK.is_file():
        return f"{NO_TERRAFORM_CHECK}; the module was not checked, which `make terraform-check` does with the real provider"
    return "" if shutil.which("terraform") else "terraform is not installed; install 1.11 or newer"


needs_terraform_check = pytest.mark.skipif(bool(_absent()), reason=_absent())
"""Skips what it marks where the module cannot be checked, and says why."""


def checked(folder: Path, *options: str) -> tuple[int, str]:
    """The exit code of terraform-check over a folder, and all that it wrote."""
    done = subprocess.run([CHECK, folder, *options], capture_output=True, text=True, check=False, timeout=280)
    return done.returncode, done.stdout + done.stderr


@cache
def text_of(name: str) -> str:
    """One file of the module by its path in it."""
    return (MODULE / name).read_text(encoding="utf-8")


def blocks(kind: str, text: str) -> dict[str, str]:
    """The blocks of a kind with one label, by that: `variable`, `output`, `run`."""
    return {found[1]: found[2] for found in re.finditer(_BLOCK.format(kind=kind, name='([^"]+)'), text, re.DOTALL | re.MULTILINE)}


def number(name: str, text: str) -> float:
    """The number that a name is given in a file: `margin_s = 60`, or the default of a field, `optional(number, 60)`."""
    found = re.search(rf"^ *{name} *= *(?:optional\(number, )?([0-9.]+)\)?$", text, re.MULTILINE)
    assert found, f"{name} is given no number"
    return float(found[1])


def texts(expression: str) -> list[str]:
    """The texts in quotes of a piece of HCL, unescaped."""
    return [text.replace('\\"', '"') for text in re.findall(r'"((?:[^"\\]|\\.)*)"', expression)]
