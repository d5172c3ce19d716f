"""The state machine of a run (http-api.md "Run states")."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.bulk.records import BatchResult, Kind, Run, RunOptions, RunStatus, Summary
from shared.bulk.run import (
    FINISHED,
    LEASE_S,
    abandoned,
    accepts,
    begun,
    blocks_start,
    can_resume,
    final_sums,
    is_interrupted,
    may_close,
    needs_renewal,
    renewed,
    resumed,
    settled,
    shown_status,
    stopping,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
ALIVE = NOW + timedelta(microseconds=1)
EXPIRED = NOW


def a_run(status: RunStatus = RunStatus.RUNNING, **changes: Any) -> Run:
    base = Run(
        run_id="run-1",
        kind=Kind.CUSTOMERS,
        status=status,
        fence=3,
        lease_until=ALIVE,
        started_at=NOW,
        updated_at=NOW,
        resumed_at=NOW,
        options=RunOptions(dry_run=True),
        total=10,
        revision=5,
    )
    return msgspec.structs.replace(base, **changes)


def differences(before: Run, after: Run) -> dict[str, Any]:
    """The fields that a change set, with their new values."""
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {name: value for name, value in new.items() if old[name] != value}


@pytest.mark.parametrize(
    ("status", "lease_until", "shown", "blocks", "resumable", "works"),
    [
        (RunStatus.ACCEPTED, ALIVE, "accepted", True, False, True),
        (RunStatus.ACCEPTED, EXPIRED, "interrupted", False, True, True),
        (RunStatus.RUNNING, ALIVE, "running", True, False, True),
        (RunStatus.RUNNING, EXPIRED, "interrupted", False, True, True),
        (RunStatus.STOPPING, ALIVE, "stopping", True, False, False),
        (RunStatus.STOPPING, EXPIRED, "interrupted", False, True, False),
        (RunStatus.STOPPED, ALIVE, "stopped", False, True, False),
        (RunStatus.STOPPED, EXPIRED, "stopped", False, True, False),
        (RunStatus.HALTED, ALIVE, "halted", False, True, False),
        (RunStatus.HALTED, EXPIRED, "halted", False, True, False),
        (RunStatus.COMPLETED, ALIVE, "completed", False, False, False),
        (RunStatus.COMPLETED, EXPIRED, "completed", False, False, False),
        (RunStatus.COMPLETED_WITH_ERRORS, ALIVE, "completed_with_errors", False, False, False),
        (RunStatus.COMPLETED_WITH_ERRORS, EXPIRED, "completed_with_errors", False, False, False),
        (RunStatus.ABANDONED, ALIVE, "abandoned", False, False, False),
        (RunStatus.ABANDONED, EXPIRED, "abandoned", False, False, False),
    ],
)
def test_what_a_state_allows(
    status: RunStatus, lease_until: datetime, shown: str, blocks: bool, resumable: bool, works: bool
) -> None:
    """How each state is shown; whether it refuses a start, may be resumed, and does work for a message of its fence.

    A run whose lease ran out is shown as interrupted, yet a message that still arrives goes on with it.
    """
    run = a_run(status, lease_until=lease_until)
    assert shown_status(run, NOW) == shown
    assert is_interrupted(run, NOW) == (shown == "interrupted")
    assert blocks_start(run, NOW) == blocks
    assert can_resume(run, NOW) == resumable
    assert accepts(run, run.fence) == works


@pytest.mark.parametrize("status", RunStatus)
@pytest.mark.parametrize("fence", [2, 4])
def test_no_state_accepts_another_fence(status: RunStatus, fence: int) -> None:
    """Neither an older nor a newer one."""
    assert not accepts(a_run(status), fence)


def test_a_run_begins() -> None:
    """Accepted becomes running; nothing else changes but the time."""
    run = a_run(RunStatus.ACCEPTED)
    assert differences(run, begun(run, LATER)) == {"status": RunStatus.RUNNING, "updated_at": LATER}


def test_a_renewed_lease_lasts_a_whole_lease_from_now() -> None:
    """Whatever was left of the old one."""
    run = a_run()
    assert differences(run, renewed(run, LATER)) == {"lease_until": LATER + timedelta(seconds=LEASE_S), "updated_at": LATER}


@pytest.mark.parametrize(
    ("seconds_left", "due"), [(LEASE_S, False), (LEASE_S * 2 / 3, False), (LEASE_S * 2 / 3 - 0.001, True), (-1, True)]
)
def test_a_lease_is_renewed_after_a_third(seconds_left: float, due: bool) -> None:
    """Often enough that two may be missed, seldom enough that it costs nothing (flows.md "Leases")."""
    assert needs_renewal(a_run(lease_until=NOW + timedelta(seconds=seconds_left)), NOW) == due


def test_a_run_is_asked_to_stop() -> None:
    """By a person: no reason to halt."""
    run = a_run()
    assert differences(run, stopping(run, LATER)) == {"status": RunStatus.STOPPING, "updated_at": LATER}


def test_a_fault_that_needs_a_person_stops_the_run_with_its_reason() -> None:
    """The first reason stays, also when a person asks to stop or another worker finds the same fault."""
    run = stopping(a_run(), LATER, "check the credentials")
    assert run.halt_reason == "check the credentials"
    assert stopping(run, LATER).halt_reason == "check the credentials"
    assert stopping(run, LATER, "something else").halt_reason == "check the credentials"


def test_a_stop_asked_by_a_person_becomes_a_halt_when_a_fault_is_found() -> None:
    """What needs mending is not lost."""
    assert stopping(stopping(a_run(), NOW), LATER, "check the scopes").halt_reason == "check the scopes"


@pytest.mark.parametrize("status", [RunStatus.STOPPED, RunStatus.HALTED, RunStatus.RUNNING, RunStatus.STOPPING])
def test_a_run_is_resumed_under_a_new_fence(status: RunStatus) -> None:
    """It runs with a fresh lease; what ended it is forgotten, what it was asked to do is kept."""
    run = a_run(status, lease_until=EXPIRED, finished_at=NOW, halt_reason="why")
    again = resumed(run, LATER, 9)
    assert again == a_run(
        RunStatus.RUNNING, fence=9, lease_until=LATER + timedelta(seconds=LEASE_S), resumed_at=LATER, updated_at=LATER
    )
    assert accepts(again, 9)
    assert not accepts(again, run.fence)


@pytest.mark.parametrize("finished_at", [None, NOW])
def test_a_run_that_a_newer_one_replaces_is_abandoned(finished_at: datetime | None) -> None:
    """It keeps the moment it ended, if it had ended, and can never go on."""
    gone = abandoned(a_run(RunStatus.STOPPED, finished_at=finished_at), LATER)
    assert (gone.status, gone.finished_at, gone.updated_at) == (RunStatus.ABANDONED, finished_at or LATER, LATER)
    assert not can_resume(gone, LATER + timedelta(days=1))


FAILED = BatchResult(failed={"invalid": 1})
ALL_DONE = Summary(planned=2, done=2, ranges_done=True)


@pytest.mark.parametrize(
    ("status", "halt_reason", "summary", "becomes"),
    [
        pytest.param(RunStatus.RUNNING, None, ALL_DONE, RunStatus.COMPLETED, id="everything done"),
        pytest.param(RunStatus.ACCEPTED, None, ALL_DONE, RunStatus.COMPLETED, id="done before anybody marked it as running"),
        pytest.param(RunStatus.RUNNING, None, Summary(ranges_done=True), RunStatus.COMPLETED, id="nothing to import"),
        pytest.param(
            RunStatus.RUNNING,
            None,
            msgspec.structs.replace(ALL_DONE, result=FAILED),
            RunStatus.COMPLETED_WITH_ERRORS,
            id="an item failed",
        ),
        pytest.param(
            RunStatus.RUNNING,
            None,
            Summary(planned=2, done=1, failed_batches=1, ranges_done=True),
            RunStatus.COMPLETED_WITH_ERRORS,
            id="a batch failed",
        ),
        pytest.param(
            RunStatus.RUNNING,
            None,
            msgspec.structs.replace(ALL_DONE, result=BatchResult(skipped={"no_email": 2})),
            RunStatus.COMPLETED,
            id="skipped items are no errors",
        ),
        pytest.param(RunStatus.RUNNING, None, Summary(planned=2, done=2), None, id="a range is still planned"),
        pytest.param(RunStatus.RUNNING, None, Summary(planned=2, done=1, queued=1, ranges_done=True), None, id="a batch waits"),
        pytest.param(RunStatus.RUNNING, None, Summary(planned=2, done=1, live=1, ranges_done=True), None, id="a batch is worked"),
        pytest.param(RunStatus.RUNNING, None, Summary(planned=2, done=1, ranges_done=True), None, id="a worker died"),
        pytest.param(RunStatus.STOPPING, None, Summary(planned=2, done=1, live=1), None, id="stopping, one still works"),
        pytest.param(
            RunStatus.STOPPING, None, Summary(planned=2, done=1, queued=1), RunStatus.STOPPED, id="stopping, none works"
        ),
        pytest.param(RunStatus.STOPPING, "why", Summary(planned=2, done=1), RunStatus.HALTED, id="halting, none works"),
        pytest.param(RunStatus.STOPPING, "why", Summary(live=1), None, id="halting, one still works"),
        pytest.param(RunStatus.STOPPING, None, ALL_DONE, RunStatus.STOPPED, id="stopped at the very end"),
        *(
            pytest.param(status, None, ALL_DONE, None, id=f"{status} already")
            for status in (
                RunStatus.STOPPED,
                RunStatus.HALTED,
                RunStatus.COMPLETED,
                RunStatus.COMPLETED_WITH_ERRORS,
                RunStatus.ABANDONED,
            )
        ),
    ],
)
def test_when_a_run_ends(status: RunStatus, halt_reason: str | None, summary: Summary, becomes: RunStatus | None) -> None:
    """Nothing left to plan, to work or to wait for; a run that has ended does not end again."""
    run = a_run(status, halt_reason=halt_reason)
    final = settled(run, summary, LATER)
    if becomes is None:
        assert final is None
    else:
        assert final is not None
        kept = {"sums": summary} if becomes in FINISHED else {}
        assert differences(run, final) == {"status": becomes, "finished_at": LATER, "updated_at": LATER, **kept}


def test_the_sums_that_a_run_keeps_are_those_of_any_later_time() -> None:
    """When nothing of it is recent any more, clocks that differ by a minute included; a resume drops them."""
    summary = msgspec.structs.replace(ALL_DONE, recent_items=5)
    final = settled(a_run(), summary, NOW)
    assert final is not None
    assert final.sums == ALL_DONE
    assert final_sums(final, NOW + timedelta(seconds=120), 60) is None
    assert final_sums(final, NOW + timedelta(seconds=121), 60) == ALL_DONE
    assert final_sums(a_run(), NOW + timedelta(days=1), 60) is None
    assert resumed(final, LATER, 4).sums is None


def test_the_examples_that_a_run_keeps_fit_its_record() -> None:
    """Of each batch there may be as many as a record has room for."""
    large = [{"text": "x" * 150_000}, {"text": "y" * 150_000}, {"text": "z"}]
    final = settled(a_run(), msgspec.structs.replace(ALL_DONE, result=BatchResult(examples=large)), NOW)
    assert final is not None
    assert final.sums is not None
    assert final.sums.result.examples == [large[0], large[2]]


@pytest.mark.parametrize(
    ("status", "summary", "closes"),
    [
        (RunStatus.RUNNING, Summary(open_done=True, open_settled=True), True),
        (RunStatus.ACCEPTED, Summary(open_done=True, open_settled=True), True),
        (RunStatus.RUNNING, Summary(open_done=True), False),
        (RunStatus.RUNNING, Summary(), False),
        (RunStatus.RUNNING, Summary(open_done=True, open_settled=True, ranges_done=True), False),
        *(
            (status, Summary(open_done=True, open_settled=True), False)
            for status in RunStatus
            if status not in {RunStatus.ACCEPTED, RunStatus.RUNNING}
        ),
    ],
)
def test_when_the_closing_sweep_begins(status: RunStatus, summary: Summary, *, closes: bool) -> None:
    """Once everything else is planned and settled; not in a run that was asked to stop, or has ended."""
    assert may_close(a_run(status), summary) is closes
