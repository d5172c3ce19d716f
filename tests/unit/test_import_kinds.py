"""A kind that can be imported is known to everything that has to know it."""

from __future__ import annotations

from shared.bulk.http.api import OFFERED
from shared.bulk.plan import BATCH_SIZES
from shared.bulk.records import Kind
from shared.bulk.work import KIND_WORK
from shared.commercetools.kinds import KINDS
from shared.commercetools.lock import KEYS


def test_what_the_api_offers_is_what_workers_can_do() -> None:
    """An accepted import of a kind that no worker knows would fail batch by batch."""
    assert set(OFFERED) == set(KIND_WORK)


def test_every_kind_that_is_offered_can_be_read_planned_and_locked() -> None:
    """One entry in each table, found missing here rather than at the first import."""
    for kind in OFFERED:
        assert kind.value in KINDS
        assert kind in BATCH_SIZES
        assert kind.value in KEYS


def test_every_kind_of_the_older_product_has_its_lock() -> None:
    """Both products exclude each other, whichever kinds are offered (decisions.md 11)."""
    assert set(KEYS) == {kind.value for kind in Kind if kind is not Kind.ALL}
