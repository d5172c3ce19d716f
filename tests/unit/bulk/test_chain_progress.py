"""The status of a chain is made of those of its links (http-api.md "Status of a run")."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.bulk import run as states
from shared.bulk.chain_progress import PENDING, chain_status
from shared.bulk.progress import SHOWN_PROBLEMS, status_of
from shared.bulk.records import LINKS, BatchResult, FailedItem, Kind, Run, RunOptions, RunStatus, Summary, child_id
from shared.bulk.results import EXAMPLES

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(seconds=100)


def run(kind: Kind, status: RunStatus = RunStatus.RUNNING, **fields: Any) -> Run:
    """A run of the chain, or the chain itself."""
    ended = status not in states.ACTIVE
    return Run(
        run_id="chain" if kind is Kind.ALL else child_id("chain", kind),
        kind=kind,
        status=status,
        fence=1,
        lease_until=NOW + timedelta(seconds=60),
        started_at=START,
        updated_at=NOW,
        resumed_at=START,
        finished_at=NOW if ended else None,
        **fields,
    )


def link(kind: Kind, status: RunStatus, total: int, result: BatchResult, *, settled: int = 0) -> dict[str, Any]:
    """The status document of a link."""
    summary = Summary(planned=2, done=1, planned_items=total, settled_items=settled, recent_items=settled, result=result)
    return status_of(run(kind, status, total=total), summary, [], NOW, 60.0)


def shown_link(kind: Kind, number: int) -> dict[str, Any]:
    """The status document of a link with so many problems and examples; each says which kind's it is."""
    items = [FailedItem(id=str(n), reason="invalid", pointer=kind.value) for n in range(number)]
    examples: list[dict[str, Any]] = [{"kind": kind.value, "n": n} for n in range(number)]
    result = BatchResult(seen=number, failed={"invalid": number}, failed_items=items, examples=examples[:EXAMPLES])
    return link(kind, RunStatus.COMPLETED_WITH_ERRORS, number, result)


def shown(
    chain: Run, *, categories: dict[str, Any] | None = None, products: dict[str, Any] | None = None, **more: dict[str, Any] | None
) -> dict[str, Any]:
    """The status of a chain with these links."""
    given = {"categories": categories, "products": products, **more}
    return chain_status(chain, {kind: given.get(kind.value) for kind in LINKS}, NOW)


def test_counts_and_reasons_are_sums() -> None:
    """Over all that have begun."""
    first = BatchResult(seen=5, sent=3, skipped={"gone": 1}, failed={"invalid": 1}, adjusted={"stock_unknown": 1})
    second = BatchResult(seen=7, sent=4, skipped={"gone": 2, "not_published": 1}, adjusted={"stock_unknown": 2})
    status = shown(
        run(Kind.ALL),
        categories=link(Kind.CATEGORIES, RunStatus.COMPLETED, 5, first),
        products=link(Kind.PRODUCTS, RunStatus.RUNNING, 100, second),
    )
    assert [status[name] for name in ("seen", "sent", "skipped", "failed")] == [12, 7, 4, 1]
    assert status["batches"] == {"planned": 4, "done": 2, "failed": 0}
    assert status["skippedReasons"] == {"gone": 3, "not_published": 1}
    assert (status["failedReasons"], status["adjustments"]) == ({"invalid": 1}, {"stock_unknown": 3})


def test_the_total_is_known_when_all_have_begun() -> None:
    """Before, nobody has counted the kinds to come."""
    links = {kind.value: link(kind, RunStatus.COMPLETED, 10, BatchResult()) for kind in LINKS}
    assert shown(run(Kind.ALL), **links)["total"] == 40
    assert shown(run(Kind.ALL), **{**links, "orders": None})["total"] is None


def test_progress_never_falls_back() -> None:
    """Each kind is a quarter, however many items it turns out to have."""
    small = link(Kind.CATEGORIES, RunStatus.COMPLETED, 1, BatchResult(seen=1, sent=1), settled=1)
    before = shown(run(Kind.ALL), categories=small)["progress"]
    large = link(Kind.PRODUCTS, RunStatus.RUNNING, 1_000_000, BatchResult())
    assert before == shown(run(Kind.ALL), categories=small, products=large)["progress"] == 0.25


def test_the_time_to_go_is_told_of_the_last_kind_alone() -> None:
    """How long the others will take is not known."""
    done = {kind.value: link(kind, RunStatus.COMPLETED, 10, BatchResult(), settled=10) for kind in LINKS[:-1]}
    half = link(Kind.ORDERS, RunStatus.RUNNING, 120, BatchResult(seen=60, sent=60), settled=60)
    assert shown(run(Kind.ALL), **done, orders=half)["etaSeconds"] == half["etaSeconds"] == 60
    products = link(Kind.PRODUCTS, RunStatus.RUNNING, 120, BatchResult(), settled=60)
    assert shown(run(Kind.ALL), categories=done["categories"], products=products)["etaSeconds"] is None


def test_the_rate_is_that_of_the_running_link_and_afterwards_of_the_whole() -> None:
    """Items a second."""
    first = link(Kind.CATEGORIES, RunStatus.COMPLETED, 100, BatchResult(seen=100, sent=100), settled=100)
    second = link(Kind.PRODUCTS, RunStatus.RUNNING, 600, BatchResult(seen=300, sent=300), settled=300)
    assert shown(run(Kind.ALL), categories=first, products=second)["ratePerSecond"] == second["ratePerSecond"] == 5.0
    ended = link(Kind.PRODUCTS, RunStatus.STOPPED, 600, BatchResult(seen=300, sent=300), settled=300)
    assert shown(run(Kind.ALL, RunStatus.STOPPED), categories=first, products=ended)["ratePerSecond"] == 4.0


def test_what_has_not_begun_is_pending_and_has_no_id() -> None:
    """All of it is null or 0, so that every link has the same fields."""
    first, *others = shown(run(Kind.ALL), categories=link(Kind.CATEGORIES, RunStatus.RUNNING, 1, BatchResult()))["children"]
    assert first["runId"] == "chain-categories"
    assert {(one["runId"], one["status"], one["seen"], one["total"]) for one in others} == {(None, PENDING, 0, None)}
    assert all(one.keys() == first.keys() for one in others)


def test_problems_and_examples_are_as_many_as_of_a_run() -> None:
    """The rest is shown with each link."""
    status = shown(run(Kind.ALL), **{kind.value: shown_link(kind, 40) for kind in LINKS[:2]})
    assert (len(status["problems"]), len(status["examples"])) == (SHOWN_PROBLEMS, EXAMPLES)


def test_every_kind_is_among_the_examples_and_the_problems() -> None:
    """Also when the first alone has as many as are shown; a kind that has fewer leaves its room to the others."""
    counts = {Kind.CATEGORIES: 60, Kind.PRODUCTS: 60, Kind.CUSTOMERS: 2, Kind.ORDERS: 60}
    status = shown(run(Kind.ALL), **{kind.value: shown_link(kind, counts[kind]) for kind in LINKS})
    assert Counter(example["kind"] for example in status["examples"]) == dict(zip(LINKS, (6, 6, 2, 6), strict=True))
    assert Counter(problem["pointer"] for problem in status["problems"]) == dict(zip(LINKS, (16, 16, 2, 16), strict=True))
    assert [problem["id"] for problem in status["problems"] if problem["pointer"] == "orders"] == [str(n) for n in range(16)]


def test_a_halted_chain_says_why_and_what_it_was_asked_to_do() -> None:
    """Its own reason and options."""
    halted = msgspec.structs.replace(
        run(Kind.ALL, RunStatus.HALTED, halt_reason="products: no"), options=RunOptions(dry_run=True)
    )
    status = shown(halted)
    assert (status["status"], status["haltReason"], status["resumable"]) == ("halted", "products: no", True)
    assert (status["options"], status["cursor"], status["progress"]) == ({"dryRun": True}, None, 0.0)
