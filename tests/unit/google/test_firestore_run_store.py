"""The Firestore run store: what comes between a reading and its write, answers that are lost, sizes, and the end of documents."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from firestore_world import Watched
from google.cloud.firestore import WriteBatch
from google.cloud.firestore_v1.types import Write as WriteMessage
from google.cloud.firestore_v1.types import WriteResult
from google_emulators import IN_ONE_PROCESS, new_project
from google_firestore import store_over

from sandbox.emulators import Emulators
from shared.bulk.plan import scanned
from shared.bulk.ports import NotTaken
from shared.bulk.records import Batch, BatchResult, BatchStatus, IdRange, Kind, Run, RunStatus, batch_id
from shared.errors import HostDown, StaleWrite
from shared.google.run_documents import KEPT, TO_END
from shared.google.run_store import FirestoreRunStore, open_run_store
from shared.settings import GoogleSettings

pytestmark = IN_ONE_PROCESS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=60)
RUN = Run(
    run_id="run-1",
    kind=Kind.CUSTOMERS,
    status=RunStatus.RUNNING,
    fence=1,
    lease_until=LATER,
    started_at=NOW,
    updated_at=NOW,
    resumed_at=NOW,
)
EMPTY = IdRange(index=0)
AFTER, BATCHES = scanned(EMPTY, "run-1", ["a", "b"], ended=True)
FIRST = batch_id(0, 1)
HALF = BatchResult(seen=1, sent=1)
ALL_STATES = list(BatchStatus)


@dataclass(frozen=True)
class World:
    """A run of one range, over watched documents."""

    documents: Watched
    store: FirestoreRunStore

    def planned(self) -> None:
        """One batch of two items is queued."""
        self.store.record("run-1", 1, EMPTY, AFTER, BATCHES)

    def taken(self, owner: str, fence: int = 1) -> Batch:
        batch = self.store.take("run-1", fence, FIRST, owner, NOW, LATER)
        assert isinstance(batch, Batch)
        return batch

    def batch(self) -> Batch:
        (batch,) = self.store.batches("run-1", ALL_STATES)
        return batch

    def changed(self, **changes: object) -> None:
        run = self.store.run("run-1")
        assert run
        self.store.save(msgspec.structs.replace(run, **changes))

    def taken_over(self) -> None:
        """The run goes on under the next fence."""
        self.changed(fence=2)
        self.store.requeue("run-1", 2)


@pytest.fixture
def world(documents: Watched) -> World:
    """A run with an empty range."""
    store = store_over(documents, lambda: NOW)
    store.create(RUN, [EMPTY])
    return World(documents, store)


def test_a_run_that_stops_while_a_batch_is_leased_gets_it_back(world: World) -> None:
    """The stop has counted before the lease was there, so the taker sees the stop: as if it had never been leased."""
    world.planned()
    before = world.batch()
    world.documents.between = lambda: world.changed(status=RunStatus.STOPPING)
    assert world.store.take("run-1", 1, FIRST, "a", NOW, LATER) is NotTaken.IGNORED
    assert world.batch() == before
    assert world.store.summary("run-1", NOW, 60).live == 0


def test_a_batch_is_given_back_whose_taker_cannot_look_at_the_run_again(world: World) -> None:
    """As if it had never been leased: the next delivery need not wait, and no attempt is counted."""
    world.planned()
    before = world.batch()
    world.documents.behind = lambda: setattr(world.documents, "silent_reads", 1)
    with pytest.raises(HostDown):
        world.store.take("run-1", 1, FIRST, "a", NOW, LATER)
    assert world.batch() == before
    assert world.taken("b").attempts == 1


def test_a_write_that_others_are_quicker_than_each_time_says_nothing_about_the_batch(world: World) -> None:
    """So it counts as no attempt of it."""
    world.planned()
    batch = world.taken("a")

    def quicker() -> None:
        world.store.hold("run-1", FIRST, "a", LATER)
        world.documents.between = quicker

    world.documents.between = quicker
    with pytest.raises(HostDown, match="too many write run run-1 at once"):
        world.store.settle(batch, "a", BatchStatus.DONE, HALF, NOW)


def test_a_lease_of_an_older_fence_is_not_given_back_over_a_take_over(world: World) -> None:
    """Between the lease and its return the batch was queued again, and taken by somebody else: that stays."""
    world.planned()
    world.documents.behind = lambda: (world.taken_over(), world.taken("b", fence=2))
    assert world.store.take("run-1", 1, FIRST, "a", NOW, LATER) is NotTaken.IGNORED
    assert (world.batch().owner, world.batch().attempts) == ("b", 1)


WRITES: dict[str, Callable[[World, Batch], object]] = {
    "hold": lambda world, _: world.store.hold("run-1", FIRST, "a", LATER),
    "put_back": lambda world, batch: world.store.put_back(batch, "a", cursor="a", result=HALF, count_attempt=True),
    "settle": lambda world, batch: world.store.settle(batch, "a", BatchStatus.DONE, HALF, NOW),
}
LOSSES: dict[str, Callable[[World], object]] = {
    "another has taken it": lambda world: world.store.take("run-1", 1, FIRST, "b", LATER, LATER + timedelta(seconds=60)),
    "the run was taken over": lambda world: world.taken_over(),
    "the run was taken over, the batch taken": lambda world: (world.taken_over(), world.taken("b", fence=2)),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("write", WRITES)
def test_an_owner_that_loses_its_batch_between_reading_and_writing_writes_nothing(world: World, write: str, loss: str) -> None:
    """The batch is then as whoever took it away has left it."""
    world.planned()
    batch = world.taken("a")
    left: list[Batch] = []

    def lose() -> None:
        LOSSES[loss](world)
        left.append(world.batch())

    world.documents.between = lose
    with pytest.raises(StaleWrite):
        WRITES[write](world, batch)
    assert [world.batch()] == left


@pytest.mark.parametrize("write", WRITES)
def test_a_lease_that_is_renewed_between_reading_and_writing_does_not_stop_its_owner(world: World, write: str) -> None:
    """The document is not as it was read, but the owner is: what is to be written is decided anew."""
    world.planned()
    batch = world.taken("a")
    renewed = LATER + timedelta(seconds=60)
    world.documents.between = lambda: world.store.hold("run-1", FIRST, "a", renewed)
    WRITES[write](world, batch)
    assert world.batch().lease_until == (LATER if write == "hold" else None)


def test_a_step_read_before_a_take_over_is_not_recorded(world: World) -> None:
    """Nobody would publish its batches under the new fence; the range can be planned under it."""
    world.documents.between = world.taken_over
    with pytest.raises(StaleWrite):
        world.planned()
    assert (world.store.ranges("run-1"), world.store.batches("run-1", ALL_STATES)) == ([EMPTY], [])
    world.store.record("run-1", 2, EMPTY, AFTER, BATCHES)
    assert world.store.ranges("run-1") == [AFTER]


def test_a_take_over_finds_what_is_written_while_it_queues(world: World) -> None:
    """An owner that puts its batch back just before the batch is queued again: what it knew is kept, attempts are fresh."""
    world.planned()
    batch = world.taken("a")
    world.changed(fence=2)
    old = msgspec.structs.replace(RUN, revision=1, fence=2)

    def put_back_late() -> None:  # as one that had read the run before its fence rose
        world.store.save(msgspec.structs.replace(old, fence=1))
        world.store.put_back(batch, "a", cursor="a", result=HALF, count_attempt=True)
        world.store.save(msgspec.structs.replace(old, revision=2))

    world.documents.between = lambda: setattr(world.documents, "between", put_back_late)  # ranges first, then batches
    world.store.requeue("run-1", 2)
    found = world.batch()
    assert (found.status, found.cursor, found.result, found.attempts) == (BatchStatus.QUEUED, "a", HALF, 0)


def test_what_is_queued_again_goes_in_commits_of_some_hundreds(world: World) -> None:
    """Firestore takes 500 writes at once. A second call finds nothing to do."""
    many = [msgspec.structs.replace(BATCHES[0], number=number) for number in range(1, 403)]
    world.store.record("run-1", 1, EMPTY, msgspec.structs.replace(AFTER, planned=402), many)
    for number in (1, 200, 402):
        world.store.take("run-1", 1, batch_id(0, number), "a", NOW, LATER)
    before = world.documents.commits
    world.taken_over()
    assert world.documents.commits - before == 2 + 2  # the run, its ranges, the batches
    assert world.store.summary("run-1", NOW, 60).queued == 402
    before = world.documents.commits
    world.store.requeue("run-1", 2)
    assert world.documents.commits - before == 1


def test_a_write_whose_answer_is_lost_is_known_as_done(world: World) -> None:
    """The client library repeats it, and the repetition fails: nobody else was there, so nothing is stale."""
    world.documents.loses_answers = True
    store = world.store
    store.create(msgspec.structs.replace(RUN, run_id="run-2"), [EMPTY])
    assert store.save(RUN).revision == 1
    world.planned()
    batch = world.taken("a")
    assert (batch.attempts, batch.owner) == (1, "a")
    store.hold("run-1", FIRST, "a", LATER + timedelta(seconds=1))
    store.put_back(batch, "a", cursor="a", result=HALF, count_attempt=True)
    again = world.taken("b")
    assert (again.attempts, again.cursor) == (2, "a")
    store.settle(again, "b", BatchStatus.DONE, HALF, NOW)
    assert world.batch().status is BatchStatus.DONE
    assert store.next_fence(Kind.ORDERS) < store.next_fence(Kind.ORDERS)


def test_the_largest_step_of_a_retry_fits_one_commit(world: World) -> None:
    """Twenty batches of ten thousand ids each, where a commit may have 10 MiB. (The emulator takes 4: it is only weighed.)"""
    random_ids = random.Random(5)
    ids = sorted(str(uuid.UUID(int=random_ids.getrandbits(128))) for _ in range(10_000))
    first = msgspec.structs.replace(BATCHES[0], ids=ids, size=len(ids))
    many = [msgspec.structs.replace(first, number=number) for number in range(1, 21)]
    weights: list[int] = []

    def weigh(writes: WriteBatch) -> list[WriteResult]:
        weights.append(sum(WriteMessage.pb(write).ByteSize() for write in writes._write_pbs))
        return []

    world.documents.commit = weigh  # type: ignore[method-assign]
    world.store.record("run-1", 1, EMPTY, msgspec.structs.replace(AFTER, planned=20), many)
    assert 1024 * 1024 < weights[0] < 6 * 1024 * 1024


def test_every_document_of_a_run_ends_some_day_and_fences_never(world: World) -> None:
    """A run half a year after its start, and then what belongs to it; Firestore deletes it."""
    world.planned()
    world.store.settle(world.taken("a"), "a", BatchStatus.DONE, HALF, NOW)
    world.store.next_fence(Kind.CUSTOMERS)
    runs = world.documents.collection("runs")
    kept = [
        *runs.stream(),
        *(found for name in ("ranges", "batches") for found in runs.document("run-1").collection(name).stream()),
    ]
    assert [found.id for found in kept] == ["run-1", "000", FIRST]
    assert [found.get("expires_at") for found in kept] == [NOW + KEPT, NOW + KEPT + TO_END, NOW + KEPT + TO_END]
    (fence,) = world.documents.collection("fences").stream()
    assert fence.to_dict() == {"fence": 1}


@pytest.mark.parametrize("day", [1, 179])
def test_a_run_that_is_taken_up_late_is_not_there_without_its_batches(world: World, day: int) -> None:
    """It has a month to end, and what was done long before stays as long; done batches are not written again for that."""
    world.planned()
    world.store.settle(world.taken("a"), "a", BatchStatus.DONE, HALF, NOW)
    batches = world.documents.collection("runs", "run-1", "batches")
    (settled,) = batches.stream()
    world.changed(fence=2, resumed_at=NOW + timedelta(days=day))
    world.store.requeue("run-1", 2)
    (run,) = world.documents.collection("runs").stream()
    (batch,) = batches.stream()
    assert run.get("expires_at") == NOW + timedelta(days=max(180, day + 30))
    assert batch.get("expires_at") >= run.get("expires_at")
    assert batch.update_time == settled.update_time


def test_a_run_that_is_abandoned_late_is_kept_no_longer(world: World) -> None:
    """It would be listed with the numbers of batches that are deleted meanwhile."""
    late = NOW + timedelta(days=165)
    world.changed(status=RunStatus.ABANDONED, finished_at=late, updated_at=late)
    (run,) = world.documents.collection("runs").stream()
    assert run.get("expires_at") == NOW + KEPT


def test_a_run_whose_time_is_over_is_gone_before_it_is_deleted(world: World) -> None:
    """Its documents are deleted one by one, over a day: nobody is to see half of them."""
    world.planned()
    late = store_over(world.documents, lambda: NOW + KEPT)
    assert (late.run("run-1"), late.runs(), late.current(Kind.CUSTOMERS)) == (None, [], None)
    assert late.summary("run-1", NOW, 60).planned == 0
    assert late.take("run-1", 1, FIRST, "a", NOW, LATER) is NotTaken.IGNORED
    with pytest.raises(StaleWrite):
        late.save(RUN)


def test_the_store_of_a_deployment_finds_its_project_and_database(google: Emulators, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project is that of the environment, as on Google Cloud, or the one that is set; databases share nothing."""
    project = new_project()
    for name, value in google.environment(project).items():
        monkeypatch.setenv(name, value)

    def opened(project: str, database: str) -> FirestoreRunStore:
        return open_run_store(GoogleSettings(project=project, name_prefix="sync", firestore_database=database))

    run = msgspec.structs.replace(RUN, started_at=datetime.now(UTC))  # by the clock of the deployment
    with closing(opened("", "(default)")) as first, closing(opened(project, "(default)")) as second:
        first.create(run, [EMPTY])
        assert second.run("run-1") == run
    with closing(opened(project, "other")) as third:
        assert third.run("run-1") is None
