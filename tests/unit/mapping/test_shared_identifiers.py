"""An e-mail or a phone that several customers of a batch claim goes to one of them."""

from __future__ import annotations

import itertools

from shared.mapping.shared_identifiers import IdentifierRow, Settled, settle_identifiers

EARLY, MIDDLE, LATE = "2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"


def row(
    customer_id: str, email: str = "", phone: str | None = None, created: str = EARLY, modified: str = EARLY
) -> IdentifierRow:
    """A row with an e-mail of its own unless one is given."""
    return IdentifierRow(customer_id, email or f"{customer_id}@example.com", phone, created, modified)


def losers(rows: list[IdentifierRow]) -> tuple[set[str], set[str]]:
    """The ids that lose their e-mail and their phone, the same for every order of the rows."""
    found = set()
    for order in itertools.permutations(rows):
        settled = settle_identifiers(order)
        found.add(
            (
                frozenset(order[index].id for index in settled.same_email),
                frozenset(order[index].id for index in settled.lost_phone),
            )
        )
    assert len(found) == 1
    same_email, lost_phone = found.pop()
    return set(same_email), set(lost_phone)


def test_different_identifiers_are_left_alone() -> None:
    """Customers without a phone share nothing."""
    assert losers([row("a", phone="+12025550143"), row("b"), row("c"), row("d", phone="+12025550144")]) == (set(), set())


def test_no_rows_have_no_losers() -> None:
    """An empty batch is settled."""
    assert settle_identifiers([]) == Settled(frozenset(), frozenset())


def test_a_shared_phone_goes_to_the_customer_created_first() -> None:
    """The others go without."""
    rows = [
        row("a", phone="+12025550143", created=LATE),
        row("b", phone="+12025550143", created=EARLY),
        row("c", phone="+12025550143", created=MIDDLE),
    ]
    assert losers(rows) == (set(), {"a", "c"})


def test_of_customers_created_at_once_the_lowest_id_has_the_phone() -> None:
    """Ties are broken by the id."""
    assert losers([row("b", phone="+12025550143"), row("a", phone="+12025550143")]) == (set(), {"b"})


def test_a_shared_email_goes_to_the_customer_modified_last() -> None:
    """The others are not sent."""
    rows = [
        row("a", "x@example.com", modified=MIDDLE),
        row("b", "x@example.com", modified=EARLY),
        row("c", "x@example.com", modified=LATE),
    ]
    assert losers(rows) == ({"a", "b"}, set())


def test_of_customers_modified_at_once_the_highest_id_has_the_email() -> None:
    """Ties are broken by the id."""
    assert losers([row("a", "x@example.com"), row("b", "x@example.com")]) == ({"a"}, set())


def test_a_customer_that_is_not_sent_wins_no_phone() -> None:
    """`a` was created first but loses its e-mail, so `b` keeps the phone."""
    rows = [
        row("a", "x@example.com", "+12025550143", created=EARLY, modified=EARLY),
        row("b", "y@example.com", "+12025550143", created=MIDDLE),
        row("c", "x@example.com", created=LATE, modified=LATE),
    ]
    assert losers(rows) == ({"a"}, set())


def test_the_winner_of_an_email_may_lose_its_phone() -> None:
    """Both identifiers are settled on their own."""
    rows = [
        row("a", "x@example.com", "+12025550143", modified=EARLY),
        row("b", "x@example.com", "+12025550143", created=LATE, modified=LATE),
        row("c", "y@example.com", "+12025550143", created=MIDDLE),
    ]
    assert losers(rows) == ({"a"}, {"b"})


def test_a_time_without_a_fraction_is_before_one_with_it() -> None:
    """Moments are compared, not their spelling."""
    rows = [
        row("a", phone="+12025550143", created="2026-01-01T00:00:00.500Z"),
        row("b", phone="+12025550143", created="2026-01-01T00:00:00Z"),
    ]
    assert losers(rows) == (set(), {"a"})
