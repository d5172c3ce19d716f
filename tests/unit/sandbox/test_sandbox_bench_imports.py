"""The benchmark of imports: what the ceiling is, what of it was used, and when the figures are not good enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from sandbox.bench import beside
from sandbox.bench.ceiling import BOUNDS, minimum_s, share_of, steady_rate
from sandbox.bench.imports import SIZES, KindFigures, Link
from sandbox.bench.imports_report import PROCESS_MB, problems, report
from sandbox.bench.meter import Usage
from sandbox.checker_imports import ImportCheck
from sandbox.checker_ledger import LedgerCheck
from sandbox.klaviyo import contract
from sandbox.klaviyo.limits import BODY_LIMITS, MAX_EVENTS_PER_REQUEST
from sandbox.ledger import Entry

ORDERS = BOUNDS["orders"]


def bodies(*moments: float, rows: int = 1_000, size: int = 1_000_000, status: int = 202) -> list[Entry]:
    """Bulk bodies of events at these moments."""
    names = [str(number) for number in range(rows)]
    return [Entry(seq, at, "POST", "", ORDERS.endpoint, status, size, names) for seq, at in enumerate(moments)]


@pytest.mark.parametrize(
    ("requests", "burst", "steady", "seconds"),
    [(0, 10, 150, 0), (1, 10, 150, 0), (1_000, 10, 150, 369), (5_000, 10, 150, 1_984), (1_000, 75, 750, 63), (20, 10, 150, 1)],
)
def test_the_theoretical_minimum_follows_from_both_windows(requests: int, burst: int, steady: int, seconds: int) -> None:
    """klaviyo.md 3: full minutes, and the rest at the rate of a second."""
    assert minimum_s(requests, burst, steady) == seconds


def test_the_ceilings_are_those_of_the_contract() -> None:
    """Requests a second and a minute, and rows a body, of each bulk endpoint."""
    operations = {operation.key: operation for operation in contract.load().operations}
    for path in BOUNDS.values():
        operation = operations[path.endpoint]
        assert (path.burst, path.steady) == (operation.quota["burst"], operation.quota["steady"])
        assert path.rows == BODY_LIMITS[operation.id].rows
    assert ORDERS.rows == MAX_EVENTS_PER_REQUEST


def test_the_steady_part_leaves_out_how_a_run_begins_and_ends() -> None:
    """Of twenty bodies the first and the last; a single one has no rate."""
    taken = [(0.0, 10), *((10.0 + number, 10) for number in range(18)), (100.0, 10)]
    rate, seconds = steady_rate(taken)
    assert rate == pytest.approx(180 / 27)
    assert seconds == 27.0
    assert steady_rate([(0.0, 10)]) == steady_rate([]) == (None, 0.0)


def test_a_share_of_one_is_a_minutes_quota_in_a_minute() -> None:
    """Bodies that were refused do not count."""
    share = share_of(ORDERS, [*bodies(*(number * 0.4 for number in range(150))), *bodies(1.0, status=429)], 60.0)
    assert share.bodies == 150
    assert share.whole == pytest.approx(1.0)
    assert share.steady == pytest.approx(1.0)
    assert share.minimum_s == 14


def test_rows_that_are_large_lower_the_ceiling() -> None:
    """5 MB hold fewer of them, however many a body had."""
    share = share_of(ORDERS, bodies(0.0, rows=100, size=1_000_000), 60.0)
    assert share.rows_per_body == 500
    assert share.ceiling == 500 * 150 / 60


def figures(**more: Any) -> KindFigures:
    """An import of orders that is good."""
    status = {"status": "completed", "seen": 10, "sent": 9, "skipped": 1, "failed": 0}
    good = KindFigures(
        link=Link("orders", 0.0, 2.0, status, Counter({"GET orders": 3})),
        check=ImportCheck("orders", 10, Counter({"Placed Order": 9}), without=1),
        limits=LedgerCheck(2, 0, 0, (), Counter({ORDERS.endpoint: 2})),
        share=share_of(ORDERS, bodies(*(number * 0.4 for number in range(150))), 60.0),
        usage=Usage(1.0, 200_000_000, {"bulk_worker": PROCESS_MB * 1_000_000}),
        simulators_cpu_s={"klaviyo": 0.5},
    )
    return replace(good, **more)


def test_an_import_that_is_complete_and_within_its_bounds_is_good() -> None:
    """Each bound may be reached."""
    assert problems([figures()], judged=True) == []


def test_each_problem_is_named_with_its_kind() -> None:
    """Not complete, limits, memory, ceiling, status."""
    good = figures()

    def named(**more: Any) -> list[str]:
        return problems([replace(good, **more)], judged=True)

    assert named(check=replace(good.check, problems=("Placed Order o is missing",))) == ["orders: Placed Order o is missing"]
    assert named(limits=replace(good.limits, problems=("too much",))) == ["orders: too much"]
    assert named(usage=Usage(1.0, 0, {"bulk_worker": 257_000_000})) == [
        "orders: the process bulk_worker used 257 MB of at most 256 MB"
    ]
    halted = replace(good.link, status={**good.link.status, "status": "halted"})
    assert named(link=halted) == ["orders: the import ended halted"]
    assert named(check=replace(good.check, items=11))[0] == "orders: the status says seen 10, the simulators' records 11"


def test_the_share_of_the_ceiling_counts_for_orders_and_products_at_a_large_size() -> None:
    """At a small one a run is over before it is steady."""
    slow = figures(share=replace(figures().share, steady=0.79))
    assert problems([slow], judged=True) == ["orders: 79% of the ceiling over the steady part is less than 80%"]
    assert problems([slow], judged=False) == []
    customers = replace(slow, link=replace(slow.link, kind="customers"))
    assert problems([customers], judged=True) == []


def test_the_report_says_what_was_measured_and_how() -> None:
    """With every definition that a figure needs."""
    text = report([figures()], Usage(), "S", 4)
    for words in (
        "seen 10 = sent 9 + skipped 1 + failed 0",
        "5 items/s",
        "200.0 and 300.0 per 1,000 items",
        "100% over the whole run, 100% over the steady part",
        "from the moment\n     when 5% of the rows had been sent to that of 95%",
        "WORKERS=4",
        "150 of 1,000 events",
    ):
        assert words in text
    assert "instant" not in text
    assert "Klaviyo instant: no latency, jobs 0 s" in report([figures()], Usage(), "S", 4, ["klaviyo"])


def test_the_sizes_are_those_that_are_promised() -> None:
    """As arguments of the simulated project."""
    words = SIZES["M"].arguments()
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given == {
        "--customers": "100000",
        "--orders": "50000",
        "--lines": "3",
        "--products": "10000",
        "--variants": "5",
        "--categories": "500",
        "--malformed-emails": "0",
    }


def besides(p95: float, *, lost: int = 0, ended: str = "completed") -> dict[str, Any]:
    """Figures of realtime beside an import, with this p95; alone it is 100 ms."""

    def seen(ms: float, count: int = 0) -> dict[str, Any]:
        return {"messages": 9, "not_acknowledged": count, "latency_ms": {"p50": ms, "p95": ms, "p99": ms, "most": ms}}

    return {
        "size": "M",
        "rate": 10,
        "alone": seen(100.0),
        "beside": seen(p95, lost),
        "beside_by_kind": {"orders": seen(p95)},
        "throttled": 3,
        "import_s": {"orders": 9.0},
        "import_status": {"orders": ended},
    }


def test_realtime_may_be_twice_as_slow_beside_an_import_and_loses_nothing() -> None:
    """On one machine both wait for the same processors."""
    assert beside.problems(besides(200.0)) == []
    assert beside.problems(besides(201.0)) == ["p95 is 201 ms beside an import, more than 2 times the 100 ms alone"]
    assert beside.problems(besides(100.0, lost=1)) == ["1 messages beside would be delivered again"]
    assert beside.problems(besides(100.0, ended="halted")) == ["the import of orders ended halted"]


def test_realtimes_report_tells_both_and_each_kind() -> None:
    """So that one sees which of them costs."""
    text = beside.report(besides(123.0, lost=2))
    for words in (
        "alone",
        "beside an import of M",
        "while orders are imported",
        "2 NOT ACKNOWLEDGED",
        "3 of all requests",
        "orders 9.0 s",
    ):
        assert words in text
