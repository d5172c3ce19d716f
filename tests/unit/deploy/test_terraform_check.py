"""`terraform/` has right arguments and types, and its own tests pass; a fault in either is found.

The stand-in knows every argument of the provider, not the rules within it; `terraform test` runs over a mock of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from terraform_files import EXAMPLE, MODULE, checked, needs_terraform_check

pytestmark = [needs_terraform_check, pytest.mark.xdist_group("terraform")]

WRONG_ARGUMENT, FAILED_TEST = 12, 14  # exit codes of terraform-check

FAULTS = (
    ("access.tf", 'role     = "roles/run.invoker"', 'role     = "roles/run.admin"', "is not what tests/grants.json says."),
    ("pubsub.tf", "max_delivery_attempts = 100", "max_delivery_attempts = 5", "has somewhere to go after 100 attempts."),
    ("pubsub.tf", 'longest_wait = "600s"', 'longest_wait = "60s"', "Notifications wait up to ten minutes between attempts"),
    ("functions.tf", "min(600, function.timeout_s + local.margin_s)", "60", "A function has ended before Pub/Sub delivers again"),
    ("functions.tf", '"ALLOW_INTERNAL_ONLY" # which', '"ALLOW_ALL" # which', "is not reachable from outside."),
    ("metrics.tf", '      "run halted",\n', "", "These lines raise an alert."),
    (
        "functions.tf",
        "location    = var.region",
        'location    = "us-central1"',
        "their source and their images are in the region.",
    ),
    ("firestore.tf", "  database   = google_firestore_database.state.name\n", "", "Fields are changed in our own database"),
    ("alerts.tf", 'auto_close = "604800s"', 'auto_close = "60s"', "An incident is closed by itself after half an hour"),
    ("alerts.tf", "> 10) and", "> 1000000) and", "More than ten 429s in a quarter of an hour"),
    ("alerts.tf", "      disable_metric_validation = true\n", "", "A query may name a metric that nothing was counted by yet"),
    ("dashboard.tf", " if place > 0", "", "a place of 0 is left out"),
)
"""What is written instead of what, and how the test that finds it says so. All are made at once."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The module somewhere else, to be broken."""
    return shutil.copytree(MODULE, tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*", "examples"))


def test_the_module_passes() -> None:
    """Format, arguments, types, and all of its tests."""
    code, said = checked(MODULE, "--test")
    assert code == 0, said
    assert "0 failed" in said


def test_the_example_passes() -> None:
    """What a reader copies gives the module what it wants."""
    code, said = checked(EXAMPLE)
    assert code == 0, said


def test_a_wrong_argument_is_found(copy: Path) -> None:
    """And the right one is named."""
    _replace(copy / "pubsub.tf", "ack_deadline_seconds       = 60", "ack_deadline_second        = 60")
    code, said = checked(copy)
    assert code == WRONG_ARGUMENT, said
    assert 'Did you mean "ack_deadline_seconds"?' in " ".join(said.split())


def test_each_broken_rule_is_found(copy: Path) -> None:
    """A door left open, a message that could be lost, an alert that would not come: the module's tests say which."""
    for name, old, new, _ in FAULTS:
        _replace(copy / name, old, new)
    (copy / "tests" / "choices.tftest.hcl").unlink()
    code, said = checked(copy, "--test")
    said = " ".join(said.split())
    assert [message for *_, message in FAULTS if message not in said] == []
    assert code in {10, FAILED_TEST}, said  # 10: what was put in is not formatted either


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path.name} has no {old!r} any more"
    path.write_text(text.replace(old, new, 1))
