"""The numbers in docs/how-an-import-works.md are those of the code."""

from __future__ import annotations

import re

from docs_pages import page

from shared.bulk.http.tasks import PLAN_SLICE_S
from shared.bulk.plan import BATCH_SIZES, BUSY_RANGES, MOST_RANGES, range_count
from shared.bulk.records import LINKS, Kind, RunStatus
from shared.bulk.run import LEASE_S
from shared.bulk.watch import BATCH_LEASE_S
from shared.commercetools.lock import CONTAINER, KEYS
from shared.commercetools.scan import PAGE as PAGE_SIZE
from shared.local.serve import DELIVERIES_PER_WORKER, PLAN_THREADS
from shared.local.supervisor import DRAIN_S

FLOW = page("docs/how-an-import-works.md")


def test_sizes_and_times_are_those_of_the_code() -> None:
    """Batches, ranges, leases, slices, draining."""
    for sentence in (
        f"up to {BATCH_SIZES[Kind.CUSTOMERS]:,} customers, {BATCH_SIZES[Kind.ORDERS]:,} orders, "
        f"{BATCH_SIZES[Kind.PRODUCTS]:,} products or {BATCH_SIZES[Kind.CATEGORIES]:,} categories",
        f"up to {BUSY_RANGES} of them for 34,000 customers or fewer, then one for each 8,500, up to {MOST_RANGES}",
        f"The run's lease is good for {LEASE_S:.0f} s",
        f"A batch's lease is good for {BATCH_LEASE_S:.0f} s",
        f"renewed by its worker every {BATCH_LEASE_S / 3:.0f} s",
        f"or {PLAN_SLICE_S:.0f} s are over",
        f"{PAGE_SIZE} a page",
        f"up to {DRAIN_S:.0f} s for those under way",
    ):
        assert sentence in FLOW.text, sentence
    assert (PLAN_THREADS, DELIVERIES_PER_WORKER) == (2, 4)  # "two ranges and up to four times `WORKERS` batches"
    size = BATCH_SIZES[Kind.CUSTOMERS]
    assert [range_count(total, size) for total in (34_000, 34_001, 85_000)] == [BUSY_RANGES, BUSY_RANGES + 1, 10]
    assert range_count(None, size) == MOST_RANGES


def test_the_lock_is_named_as_it_is() -> None:
    """Container and keys, which an operator may have to find in the Merchant Center."""
    assert f"`{CONTAINER}`" in FLOW.text
    for key in KEYS.values():
        assert f"`{key}`" in FLOW.text


def test_the_order_of_a_chain_is_that_of_the_code() -> None:
    """As the page lists it."""
    assert f"which are ordinary runs: {', '.join(LINKS)}. What others refer to" in " ".join(FLOW.text.split())


def test_the_diagram_has_every_state() -> None:
    """Each state that a run can be in is drawn."""
    drawn = next(body for language, body in FLOW.fences if language == "mermaid" and "stateDiagram" in body)
    assert {status.value for status in RunStatus} == set(re.findall(r"\b[a-z_]{6,}\b", drawn.split("\n", 1)[1])) - _LABELS


_LABELS = {"resume", "person"}
