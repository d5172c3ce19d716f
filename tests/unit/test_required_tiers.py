"""REQUIRE_ALL_TIERS=1: a skipped test fails the suite, but for the vendors' documents where nobody expects them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NEEDS_DOCUMENT = "from vendor_contracts import needs_vendor_contract\n@needs_vendor_contract('some-openapi.json')\n"
NEEDS_CHECK = (
    "import pytest, vendor_contracts\n@pytest.mark.skip(reason=f'{vendor_contracts.NO_TERRAFORM_CHECK}; nothing was checked')\n"
)
NEEDS_OTHER = "import pytest\n@pytest.mark.skip(reason='no database here')\n"


def suite(folder: Path, marks: str) -> subprocess.CompletedProcess[str]:
    """Runs a suite of one test, that is skipped, with every tier required."""
    tests = folder / "repository" / "tests"
    tests.mkdir(parents=True)
    for name in ("conftest.py", "depth.py", "google_emulators.py", "vendor_contracts.py"):
        shutil.copy(TESTS / name, tests)
    (tests / "test_one.py").write_text(f"{marks}def test_one():\n    assert False\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tests), str(tests)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={**os.environ, "REQUIRE_ALL_TIERS": "1"},
    )


@pytest.mark.parametrize(
    ("marks", "beside", "exit_code", "named"),
    [
        (NEEDS_DOCUMENT, False, 0, "vendor contract some-openapi.json is not here; nothing was compared with it (1 tests)"),
        (NEEDS_DOCUMENT, True, 1, "vendor contract some-openapi.json is not here; nothing was compared with it (1 tests)"),
        (NEEDS_CHECK, False, 0, "terraform-check is not here; nothing was checked (1 tests)"),
        (NEEDS_CHECK, True, 1, "terraform-check is not here; nothing was checked (1 tests)"),
        (NEEDS_OTHER, False, 1, "no database here (1 tests)"),
    ],
    ids=[
        "a document that is not expected",
        "a document that is expected",
        "a check that is not expected",
        "a check that is expected",
        "anything else",
    ],
)
def test_what_is_skipped_is_named_and_fails_where_it_was_expected(
    tmp_path: Path, marks: str, beside: bool, exit_code: int, named: str
) -> None:
    """The vendors' documents, and the check of Terraform, are expected only where their folder stands beside the repository."""
    if beside:
        (tmp_path / "shared").mkdir()
    done = suite(tmp_path, marks)
    assert done.returncode == exit_code, done.stdout + done.stderr
    assert "NOT RUN" in done.stdout
    assert named in done.stdout
