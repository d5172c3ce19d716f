"""A run as people see it (http-api.md "Status of a run")."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.bulk.plan import id_ranges
from shared.bulk.progress import expected_items, options_of, planned_share, status_of
from shared.bulk.records import Feed, IdRange, Kind, Run, RunOptions, RunStatus, Summary

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MIDDLE_OF_THE_FIRST_HALF = "40000000-0000-0000-0000-000000000000"


def a_run(total: int | None = None, **changes: Any) -> Run:
    base = Run(
        run_id="run-1",
        kind=Kind.PRODUCTS,
        status=RunStatus.RUNNING,
        fence=1,
        lease_until=NOW + timedelta(seconds=60),
        started_at=NOW - timedelta(seconds=100),
        updated_at=NOW,
        resumed_at=NOW - timedelta(seconds=100),
        total=total,
    )
    return msgspec.structs.replace(base, **changes)


def with_feeds(scans: list[IdRange]) -> list[IdRange]:
    """The ranges of a run over products: two more beside the scans, and the closing ones."""
    feeds = [(Feed.STOCK, False), (Feed.PRICES, False), (Feed.CHANGED, True), (Feed.SENT, True)]
    return scans + [IdRange(index=len(scans) + n, feed=feed, closing=closing) for n, (feed, closing) in enumerate(feeds)]


def half_planned() -> list[IdRange]:
    """Two halves of the id space, the first of which is planned to its middle."""
    first, second = id_ranges(2)
    return [msgspec.structs.replace(first, cursor=MIDDLE_OF_THE_FIRST_HALF), second]


def test_feeds_have_no_share_of_the_id_space() -> None:
    """Their cursors are no ids, and they cover everything or nothing."""
    assert planned_share(half_planned()) == 0.25
    assert planned_share(with_feeds(half_planned())) == 0.25
    fed = [msgspec.structs.replace(part, cursor="2026-03-01T00:00:00.000Z x", done=True) for part in with_feeds([])]
    assert planned_share([*half_planned(), *fed]) == 0.25
    assert planned_share(fed) == 0.0


@pytest.mark.parametrize(
    ("total", "summary", "expected"),
    [
        pytest.param(100, Summary(), 100, id="as counted"),
        pytest.param(100, Summary(planned_items=60), 100, id="as counted, while it is planned"),
        pytest.param(100, Summary(planned_items=130), 130, id="more than counted"),
        pytest.param(100, Summary(planned_items=90, fed_items=30), 130, id="feeds come on top of what was counted"),
        pytest.param(100, Summary(planned_items=98, open_done=True), 98, id="exact before the sweep"),
        pytest.param(100, Summary(planned_items=103, fed_items=5, open_done=True), 103, id="the sweep is added"),
        pytest.param(None, Summary(planned_items=25), 100, id="not counted: by the planned share"),
        pytest.param(None, Summary(planned_items=35, fed_items=10), 110, id="not counted, with feeds"),
    ],
)
def test_how_many_items_are_expected(total: int | None, summary: Summary, expected: int) -> None:
    """Exact once it is known, else as counted at the start, else by the share of the ids that is planned."""
    assert expected_items(a_run(total), summary, with_feeds(half_planned())) == expected


def test_nobody_knows_how_much_klaviyo_has_until_it_is_listed() -> None:
    """Klaviyo does not count."""
    run, ranges = a_run(options=RunOptions(delete_all=True)), [IdRange(index=0, feed=Feed.KLAVIYO)]
    assert expected_items(run, Summary(planned_items=1_000, fed_items=1_000), ranges) is None
    assert expected_items(run, Summary(planned_items=1_500, fed_items=1_500, open_done=True), ranges) == 1_500


def shown(summary: Summary, **changes: Any) -> dict[str, Any]:
    """The status of a run of 100 items."""
    return status_of(a_run(100, **changes), summary, with_feeds(id_ranges(1)), NOW, 60.0)


def test_a_run_is_not_complete_before_its_sweep_is() -> None:
    """Everything else is settled, but what the sweep will find nobody knows."""
    before = Summary(planned=1, done=1, planned_items=100, settled_items=100, open_done=True, open_settled=True)
    assert shown(before)["progress"] == 0.99
    within = msgspec.structs.replace(before, planned=2, planned_items=125, fed_items=25, ranges_done=True)
    assert shown(within)["progress"] == 0.8
    after = msgspec.structs.replace(within, done=2, settled_items=125)
    assert shown(after, status=RunStatus.COMPLETED, finished_at=NOW)["progress"] == 1.0


def test_the_time_to_go_follows_the_measured_rate() -> None:
    """Of the last minute."""
    status = shown(Summary(planned=2, done=1, planned_items=80, settled_items=40, recent_items=30))
    assert (status["ratePerSecond"], status["etaSeconds"], status["progress"]) == (0.5, 120, 0.4)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (RunOptions(), {}),
        (RunOptions(ids=["a", "b"]), {"ids": 2}),
        (RunOptions(delete_all=True, only_own=True), {"deleteAll": True, "onlyOwn": True}),
        (
            RunOptions(modified_after="2026-01-01T00:00:00Z", dry_run=True),
            {"modifiedAfter": "2026-01-01T00:00:00Z", "dryRun": True},
        ),
    ],
)
def test_what_a_run_was_asked_to_do_is_shown(options: RunOptions, named: dict[str, Any]) -> None:
    """By the names of the API; listed ids by their number."""
    assert options_of(options) == named
