"""What a summary costs in reads: no more for a run of very many batches, though every delivery asks for it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from firestore_world import Watched
from google_emulators import IN_ONE_PROCESS
from google_firestore import store_over

from shared.bulk.plan import scanned
from shared.bulk.records import Batch, BatchResult, BatchStatus, IdRange, Kind, Run, RunStatus, Summary, batch_id
from shared.errors import HostDown
from shared.google.firestore_documents import Documents
from shared.google.run_documents import RunDocuments
from shared.google.run_store import FirestoreRunStore
from shared.google.run_summaries import Summaries

pytestmark = IN_ONE_PROCESS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RANGES, EACH = 4, 5
COUNT = RANGES * EACH
RUN = Run(
    run_id="run-1",
    kind=Kind.CUSTOMERS,
    status=RunStatus.RUNNING,
    fence=1,
    lease_until=NOW,
    started_at=NOW,
    updated_at=NOW,
    resumed_at=NOW,
)
NAMES = [batch_id(index, number) for number in range(1, EACH + 1) for index in range(RANGES)]
FIXED = 1 + RANGES + 1 + 1  # the run, its ranges, how many are settled, and a query that finds nothing


@pytest.fixture
def store(documents: Watched) -> FirestoreRunStore:
    """A run of twenty queued batches."""
    store = store_over(documents, lambda: NOW)
    store.create(RUN, [IdRange(index=index) for index in range(RANGES)])
    for index in range(RANGES):
        before = IdRange(index=index)
        for number in range(EACH):
            after, batches = scanned(before, "run-1", [f"{index}-{number}"], ended=number == EACH - 1)
            store.record("run-1", 1, before, after, batches)
            before = after
    return store


def settle(store: FirestoreRunStore, name: str, now: datetime = NOW) -> None:
    batch = store.take("run-1", 1, name, name, now, now + timedelta(seconds=60))
    assert isinstance(batch, Batch)
    store.settle(batch, name, BatchStatus.DONE, BatchResult(seen=1, sent=1), now)


def summed(store: FirestoreRunStore, documents: Watched) -> tuple[Summary, int]:
    """The summary, and how many reads it took."""
    before = documents.reads
    summary = store.summary("run-1", NOW, 60)
    return summary, documents.reads - before


def test_queued_batches_are_not_read(store: FirestoreRunStore, documents: Watched) -> None:
    """The ranges know how many were recorded."""
    summary, reads = summed(store, documents)
    assert (summary.planned, summary.queued, summary.planned_items) == (COUNT, COUNT, COUNT)
    assert reads == FIXED


def test_a_settled_batch_is_read_once_by_a_process(store: FirestoreRunStore, documents: Watched) -> None:
    """One read more for each that was settled since the last look, and none when there is none; the sums are right each time."""
    for done, name in enumerate(NAMES, start=1):
        settle(store, name, NOW + timedelta(seconds=done))
        summary, reads = summed(store, documents)
        assert (summary.done, summary.result.sent, summary.open_settled) == (done, done, done == COUNT)
        assert reads == FIXED + 1
    assert summed(store, documents)[1] == FIXED


def test_another_process_reads_what_it_has_not_seen(store: FirestoreRunStore, documents: Watched) -> None:
    """All at first, and then only what came since, whoever settled it."""
    other = store_over(documents, lambda: NOW)
    for done, name in enumerate(NAMES[:12], start=1):
        settle(store, name, NOW + timedelta(seconds=done))
    assert [summed(other, documents)[1] for _ in range(2)] == [FIXED + 12, FIXED]
    for done, name in enumerate(NAMES[12:17], start=13):
        settle(store, name, NOW + timedelta(seconds=done))
    assert summed(other, documents)[1] == FIXED + 5


def test_clocks_that_differ_cost_reads_and_no_truth(store: FirestoreRunStore, documents: Watched) -> None:
    """A worker whose clock is an hour behind settles last: it is found behind those that seem newer."""
    for done, name in enumerate(NAMES[:-1], start=1):
        settle(store, name, NOW + timedelta(seconds=done))
    summed(store, documents)
    settle(store, NAMES[-1], NOW - timedelta(hours=1))
    summary, reads = summed(store, documents)
    assert (summary.done, summary.open_settled) == (COUNT, True)
    assert reads <= FIXED + COUNT + 1
    assert summed(store, documents)[1] == FIXED


def test_what_is_worked_or_half_done_is_read_each_time(store: FirestoreRunStore, documents: Watched) -> None:
    """A few: as many as there are workers."""
    for name in NAMES[:3]:
        assert isinstance(store.take("run-1", 1, name, "a", NOW, NOW + timedelta(seconds=60)), Batch)
    batch = store.take("run-1", 1, NAMES[3], "a", NOW, NOW + timedelta(seconds=60))
    assert isinstance(batch, Batch)
    store.put_back(batch, "a", cursor="x", result=BatchResult(seen=1, sent=1), count_attempt=True)
    summary, reads = summed(store, documents)
    assert (summary.live, summary.queued, summary.result.sent) == (3, COUNT - 3, 1)
    assert reads == FIXED - 1 + 4


class Paged(Watched):
    """Documents whose pages of batches are noted, by how many were asked for; the one after `good_pages` fails, or waits."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.pages: list[int] = []
        self.good_pages = COUNT
        self.at_the_next: Callable[[], object] = lambda: None

    def query(self, query: Any, *, wide: bool = False, **options: Any) -> list[Any]:
        if wide:
            if len(self.pages) == self.good_pages:
                self.at_the_next()
            self.pages.append(query._limit)
        return super().query(query, wide=wide, **options)


@pytest.fixture
def pages(store: FirestoreRunStore, documents: Watched) -> Iterator[Paged]:
    """Nineteen of the twenty batches are settled, and one is not; the same database in a process that has read nothing of it."""
    for done, name in enumerate(NAMES[:-1], start=1):
        settle(store, name, NOW + timedelta(seconds=done))
    with closing(Paged(documents._open_client, "(default)")) as paged:
        yield paged


def look(summaries: Summaries, documents: Documents) -> Summary:
    """At the run, as it stands now."""
    runs = RunDocuments(documents, now=lambda: NOW, new_mark=lambda: "")
    (there,) = documents.get(runs.run("run-1"))
    at = there.read_time
    return summaries.of(RUN, lambda: runs.planned("run-1", at), runs.batches("run-1"), at, NOW, 60)


def test_very_many_batches_are_read_a_page_at_a_time(store: FirestoreRunStore, pages: Paged) -> None:
    """Each once, and what is settled later in one page again."""
    summaries = Summaries(pages, most_page=6)
    assert look(summaries, pages).done == COUNT - 1
    assert (pages.pages, pages.reads) == ([6, 6, 6, 1], FIXED + COUNT - 1)
    settle(store, NAMES[-1], NOW + timedelta(minutes=1))
    summary = look(summaries, pages)
    assert (summary.done, summary.open_settled, summary.result.sent) == (COUNT, True, COUNT)
    assert pages.reads == 2 * FIXED + COUNT


def test_a_look_that_is_cut_off_is_continued_by_the_next_one(store: FirestoreRunStore, pages: Paged) -> None:
    """Nothing is read twice."""
    summaries = Summaries(pages, most_page=6)
    cut_off_after(2, summaries, pages)
    settle(store, NAMES[-1], NOW + timedelta(minutes=1))
    before = pages.reads
    summary = look(summaries, pages)
    assert (summary.done, summary.open_settled) == (COUNT, True)
    assert pages.pages == [6, 6, 6, 2]
    assert pages.reads - before == FIXED + COUNT - 12


def test_what_a_clock_that_is_behind_has_settled_meanwhile_is_found(store: FirestoreRunStore, pages: Paged) -> None:
    """Though reading is beyond it by then."""
    summaries = Summaries(pages, most_page=6)
    cut_off_after(2, summaries, pages)
    settle(store, NAMES[-1], NOW - timedelta(hours=1))
    summary = look(summaries, pages)
    assert (summary.done, summary.result.sent, summary.open_settled) == (COUNT, COUNT, True)


def cut_off_after(good_pages: int, summaries: Summaries, pages: Paged) -> None:
    """A look that reads so many pages; the next one is not answered."""

    def fail() -> None:
        raise HostDown("silent")

    pages.good_pages, pages.at_the_next = good_pages, fail
    with pytest.raises(HostDown, match="silent"):
        look(summaries, pages)
    pages.good_pages = COUNT


def test_a_look_that_takes_too_long_leaves_the_rest_to_the_next_one(pages: Paged) -> None:
    """After half a minute; what it has read is remembered."""
    moments = itertools.count(0, 12)
    summaries = Summaries(pages, most_page=6, monotonic=lambda: float(next(moments)))
    with pytest.raises(HostDown, match="batches of run run-1 are still being read"):
        look(summaries, pages)
    assert pages.pages == [6, 6]
    assert look(summaries, pages).done == COUNT - 1
    assert pages.pages == [6, 6, 6, 1]


def test_of_those_who_look_at_once_one_reads(pages: Paged) -> None:
    """The others wait for it, and then have nothing to read."""
    summaries, everybody = Summaries(pages, most_page=6), threading.Barrier(8)

    def looked(_: int) -> int:
        everybody.wait(30.0)
        return look(summaries, pages).done

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(looked, range(8))) == [COUNT - 1] * 8
    assert sorted(pages.pages) == [1, 6, 6, 6]


def test_who_waits_too_long_for_another_reader_reads_nothing_and_comes_again(pages: Paged) -> None:
    """It is told that the store does not answer."""
    summaries = Summaries(pages, most_page=6, wait_s=0.05)
    reads, goes_on = threading.Event(), threading.Event()
    pages.good_pages, pages.at_the_next = 1, lambda: (reads.set(), goes_on.wait(30.0))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(look, summaries, pages)
        assert reads.wait(30.0)
        with pytest.raises(HostDown, match="batches of run run-1 are still being read"):
            look(summaries, pages)
        goes_on.set()
        assert first.result(30.0).done == COUNT - 1
    assert pages.pages == [6, 6, 6, 1]


def ended(store: FirestoreRunStore, number: int, sums: Summary | None = None) -> None:
    """A run of one batch that has ended two hours ago, and keeps these sums."""
    run_id, ago = f"ended-{number}", NOW - timedelta(hours=2)
    before = IdRange(index=0)
    run = store_run(run_id, ago)
    store.create(run, [before])
    store.record(run_id, 1, before, *scanned(before, run_id, ["a"], ended=True))
    batch = store.take(run_id, 1, batch_id(0, 1), "a", ago, ago + timedelta(seconds=60))
    assert isinstance(batch, Batch)
    store.settle(batch, "a", BatchStatus.DONE, BatchResult(seen=1, sent=1), ago)
    store.save(msgspec.structs.replace(run, status=RunStatus.COMPLETED, finished_at=ago, sums=sums))


def store_run(run_id: str, at: datetime) -> Run:
    return msgspec.structs.replace(RUN, run_id=run_id, started_at=at, updated_at=at, resumed_at=at)


def test_runs_that_have_ended_are_summed_once_however_many_are_listed(store: FirestoreRunStore, documents: Watched) -> None:
    """Then each costs the reading of its record; and what is remembered of the run under way stays."""
    settle(store, NAMES[0])
    summed(store, documents)
    for number in range(10):
        ended(store, number)
    sums, reads = [], []
    for _ in range(2):
        before = documents.reads
        sums.append([store.summary(f"ended-{number}", NOW, 60) for number in range(10)])
        reads.append(documents.reads - before)
    assert [one.result.sent for one in sums[0]] == [1] * 10
    assert sums[1] == sums[0]
    assert reads == [10 * (1 + 1 + 1 + 1 + 1), 10]
    assert summed(store, documents)[1] == FIXED


def test_a_run_that_has_completed_costs_one_read_in_a_process_that_knows_nothing(
    store: FirestoreRunStore, documents: Watched
) -> None:
    """Its record has the sums."""
    sums = Summary(planned=1, done=1, result=BatchResult(seen=1, sent=1))
    ended(store, 1, sums)
    before = documents.reads
    assert store_over(documents, lambda: NOW).summary("ended-1", NOW, 60) == sums
    assert documents.reads - before == 1


def test_a_run_that_ended_is_summed_anew_when_it_is_resumed_or_not_long_over(store: FirestoreRunStore) -> None:
    """A worker may still come late to an abandoned one; and a resumed one goes on."""
    batches = [store.take("run-1", 1, name, "a", NOW, NOW + timedelta(seconds=60)) for name in NAMES[:2]]
    assert all(isinstance(batch, Batch) for batch in batches)
    stopped = store.save(msgspec.structs.replace(RUN, status=RunStatus.STOPPED, finished_at=NOW))
    assert store.summary("run-1", NOW, 60).done == 0
    store.settle(batches[0], "a", BatchStatus.DONE, BatchResult(seen=1, sent=1), NOW)
    assert store.summary("run-1", NOW + timedelta(minutes=30), 60).done == 1
    much_later = NOW + timedelta(hours=3)
    assert [store.summary("run-1", much_later, 60).done for _ in range(2)] == [1, 1]
    store.save(msgspec.structs.replace(stopped, status=RunStatus.RUNNING, finished_at=None))
    store.settle(batches[1], "a", BatchStatus.DONE, BatchResult(seen=1, sent=1), much_later)
    assert store.summary("run-1", much_later, 60).done == 2


def test_batches_that_are_deleted_after_their_time_do_not_confuse_it(store: FirestoreRunStore, documents: Watched) -> None:
    """Fewer than are remembered: then nothing remembered counts."""
    for name in NAMES[:5]:
        settle(store, name)
    assert summed(store, documents)[0].done == 5
    documents.collection("runs", "run-1", "batches").document(NAMES[0]).delete()
    assert summed(store, documents)[0].done == 4
