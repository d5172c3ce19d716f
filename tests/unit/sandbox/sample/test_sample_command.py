"""The command `python -m sandbox.sample`."""

import io
import json

import pytest

from sandbox.sample.__main__ import main
from sandbox.sample.customers import customer


def lines(*arguments: str) -> list[dict[str, object]]:
    """Run the command and return its JSON lines."""
    out = io.BytesIO()
    assert main(arguments, out) == 0
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_it_writes_one_json_line_per_customer() -> None:
    """As many rows as asked, in id order, the same as the generator's."""
    written = lines("customers", "--count", "20", "--seed", "9")
    assert written == [customer(9, index, 20) for index in range(20)]


def test_it_writes_the_demo_by_default() -> None:
    """300 customers of seed 7, one of them with a malformed mail."""
    written = lines("customers")
    assert len(written) == 300
    assert sum("," in str(row["email"]) for row in written) == 1


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (("orders", "--count", "12", "--lines", "2"), 12),
        (("products", "--count", "20", "--variants", "3"), 20),
        (("product-projections", "--products", "20"), 18),
        (("inventory", "--products", "4", "--variants", "3"), 16),
        (("payments", "--orders", "20"), 24),
        (("categories",), 50),
        (("standalone-prices", "--products", "40", "--variants", "1"), 10),
        (("discount-codes",), 8),
    ],
)
def test_it_writes_every_kind(arguments: tuple[str, ...], rows: int) -> None:
    """Sizes are options; stock and prices follow the products, payments the orders, projections what is published."""
    written = lines(*arguments)
    assert len(written) == rows
    assert [row["id"] for row in written] == sorted(str(row["id"]) for row in written)


def test_fixed_kinds_have_their_own_number() -> None:
    """Six customer groups, and no other number of them."""
    assert len(lines("customer-groups")) == 6
    with pytest.raises(SystemExit):
        lines("customer-groups", "--count", "7")


NONSENSE = [
    ("customers", "--count", "-1"),
    ("customers", "--malformed-emails", "301"),
    ("nothing",),
    ("payments", "--count", "3"),
    ("orders", "--lines", "0"),
]


@pytest.mark.parametrize("arguments", NONSENSE)
def test_nonsense_is_refused(arguments: tuple[str, ...]) -> None:
    """Impossible numbers and unknown kinds end with a usage error."""
    with pytest.raises(SystemExit):
        lines(*arguments)
