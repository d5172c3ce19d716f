"""Customers before and after: every folder under `customer/` is one case.

A case has `customer.json` (as commercetools delivers it), `expected.json` (`attributes` and `adjustments`, or `skip`) and,
where the defaults are not meant, `rules.json` (the `customer` section of the configuration document). A leading number is
that of the acceptance case in the study of the older product.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.commercetools.resources import Customer
from shared.mapping.customer import profile_of
from shared.mapping.result import Skip
from shared.settings.document import CustomerRules

CASES = sorted(path for path in (Path(__file__).parent / "customer").iterdir() if path.is_dir())


def outcome(case: Path) -> dict[str, Any]:
    """What the mapping says of the case, in the form of `expected.json`."""
    rules_file = case / "rules.json"
    rules = msgspec.json.decode(rules_file.read_bytes(), type=CustomerRules) if rules_file.exists() else CustomerRules()
    mapped = profile_of(msgspec.json.decode((case / "customer.json").read_bytes(), type=Customer), rules)
    if isinstance(mapped, Skip):
        return {"skip": mapped.reason.value}
    return {"attributes": msgspec.to_builtins(mapped.attributes), "adjustments": [kind.value for kind in mapped.adjustments]}


def test_there_are_cases() -> None:
    """The folder of cases was found."""
    assert len(CASES) >= 10


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_customer_becomes_the_expected_profile(case: Path) -> None:
    """Each case has its files and nothing else, and its customer maps to exactly what is expected."""
    names = {path.name for path in case.iterdir()}
    assert {"customer.json", "expected.json"} <= names <= {"customer.json", "expected.json", "rules.json"}
    assert outcome(case) == msgspec.json.decode((case / "expected.json").read_bytes())
