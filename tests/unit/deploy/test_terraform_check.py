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

FAULTS = {
    "access.tf": (
        ("realtime = [local.push_member]", 'realtime = [local.push_member, "allUsers"]', "Nothing is open to everybody."),
        ('role     = "roles/run.invoker"', 'role     = "roles/run.admin"', "Whoever may call a function may do no more with it."),
        (
            'toset(["dispatcher", "worker"])',
            'toset(["realtime", "dispatcher", "worker"])',
            "Realtime has no access to the database.",
        ),
    ),
    "pubsub.tf": (
        ("max_delivery_attempts = 100", "max_delivery_attempts = 5", "has somewhere to go after 100 attempts."),
        ('longest_wait = "600s"', 'longest_wait = "60s"', "Notifications wait up to ten minutes between attempts"),
        ("audience              = local.function_urls[each.value.function]", 'audience = "klaviyo"', "Each push carries a token"),
    ),
    "functions.tf": (
        ("THREADS = tostring(each.value.concurrency)", 'THREADS = "4"\n      WORKERS = "4"', "WORKERS is the framework's number"),
        ("floor(10000 / each.value.max_instances) / 10000", "1", "stay within Klaviyo's limits."),
        ("min(600, function.timeout_s + local.margin_s)", "60", "A function has ended before Pub/Sub delivers again"),
        ('"ALLOW_INTERNAL_ONLY" # which', '"ALLOW_ALL" # which', "is not reachable from outside."),
    ),
}
"""By file: what is written instead of what, and how the test that finds it says so. All are made at once."""


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
    """A door left open, a message that could be lost, a limit that could be exceeded: the module's tests say which."""
    for name, faults in FAULTS.items():
        for old, new, _ in faults:
            _replace(copy / name, old, new)
    for tests in (copy / "tests").glob("*.tftest.hcl"):  # the first run of each is enough, and saves half of the time
        head, first, *_ = tests.read_text().split('\nrun "')
        tests.write_text(f'{head}\nrun "{first.rstrip()}\n')
    for name in ("names", "operations", "secrets"):
        (copy / "tests" / f"{name}.tftest.hcl").unlink()
    code, said = checked(copy, "--test")
    said = " ".join(said.split())
    assert [message for faults in FAULTS.values() for _, _, message in faults if message not in said] == []
    assert code in {10, FAILED_TEST}, said  # 10: what was put in is not formatted either


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path.name} has no {old!r} any more"
    path.write_text(text.replace(old, new, 1))
