"""The import lock: one import of a kind in the whole project, whoever runs it (decisions.md 11)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fake_commercetools import Clock, FakeProject, error_body

from shared.budget import Budget, budget_of
from shared.commercetools.lock import CONTAINER, KEYS, Free, Held, ImportLock, Taken
from shared.errors import HostDown, StaleWrite, TransientError

LEASE_S = 600.0
PLACE = f"{CONTAINER}/customerFullSync"


@pytest.fixture
def project() -> FakeProject:
    return FakeProject(Clock())


@pytest.fixture
def lock(project: FakeProject) -> ImportLock:
    return ImportLock(project.client())


def _take(lock: ImportLock, project: FakeProject, run_id: str, lease_s: float = LEASE_S) -> Taken | Held:
    return lock.take("customers", run_id, lease_s, project.clock.budget())


def _standing(version: int, value: object) -> dict[str, object]:
    """A custom object in the place of the lock."""
    return {"container": CONTAINER, "key": "k", "version": version, "value": value, "createdAt": "2025-01-01T00:00:00Z"}


def test_the_places_are_those_of_the_older_product() -> None:
    """Both products exclude each other because they use the same objects."""
    assert CONTAINER == "klaviyo-ct-plugin-lock"
    assert dict(KEYS) == {
        "customers": "customerFullSync",
        "orders": "orderFullSync",
        "categories": "categoryFullSync",
        "products": "productFullSync",
    }


def test_a_free_lock_is_taken_with_owner_and_lease(project: FakeProject, lock: ImportLock) -> None:
    """The lease runs by commercetools' clock, whose time this is."""
    taken = _take(lock, project, "run-1")
    stored = project.objects[PLACE]
    assert taken == Taken(stored["version"])
    assert {name: stored["value"][name] for name in ("owner", "since", "leaseUntil")} == {
        "owner": "run-1",
        "since": "2026-05-01T12:00:00Z",
        "leaseUntil": "2026-05-01T12:10:00Z",
    }


def test_a_taken_lock_names_its_run(project: FakeProject, lock: ImportLock) -> None:
    """Whoever comes second learns who has it, since when and until when; the same run is no exception."""
    _take(lock, project, "run-1")
    held = Held("run-1", foreign=False, since="2026-05-01T12:00:00.000Z", expires="2026-05-01T12:10:00.000Z")
    assert _take(lock, project, "run-2") == held
    assert _take(lock, project, "run-1") == held
    assert lock.read("customers", project.clock.budget()) == held


def test_locks_of_two_kinds_are_two_locks(project: FakeProject, lock: ImportLock) -> None:
    """Customers do not hold up orders."""
    _take(lock, project, "run-1")
    assert isinstance(lock.take("orders", "run-2", LEASE_S, project.clock.budget()), Taken)


def test_the_lock_of_the_older_product_is_foreign_and_has_no_end(project: FakeProject, lock: ImportLock) -> None:
    """Its bare "1", or anything else that is not ours, is never taken over."""
    for value in ("1", 1, {"locked": True}, {"owner": "x", "since": "?", "leaseUntil": "?", "nonce": "?"}, ["run"]):
        project.objects[PLACE] = _standing(3, value)
        assert _take(lock, project, "run-1") == Held(None, foreign=True, since="2025-01-01T00:00:00Z", expires=None)
    with pytest.raises(StaleWrite):
        lock.release("customers", "run-1", project.clock.budget())
    assert PLACE in project.objects


def test_a_lock_whose_lease_is_over_is_taken_over(project: FakeProject, lock: ImportLock) -> None:
    """Its owner died; until the last second it is still held."""
    _take(lock, project, "run-1")
    project.clock.now += LEASE_S - 1
    assert isinstance(_take(lock, project, "run-2"), Held)
    project.clock.now += 1
    assert _take(lock, project, "run-2") == Taken(3)
    assert project.objects[PLACE]["value"]["owner"] == "run-2"


def test_a_free_object_left_by_a_taker_that_died_is_taken(project: FakeProject, lock: ImportLock) -> None:
    """It died between making the object and taking it."""
    project.objects[PLACE] = _standing(1, {"free": True})
    assert lock.read("customers", project.clock.budget()) == Free()
    assert _take(lock, project, "run-1") == Taken(2)


def test_a_renewal_extends_the_lease_and_keeps_its_beginning(project: FakeProject, lock: ImportLock) -> None:
    """The new version is returned for the next renewal."""
    _take(lock, project, "run-1")
    project.clock.now += 200
    assert lock.renew("customers", "run-1", LEASE_S, project.clock.budget(), version=2) == 3
    value = project.objects[PLACE]["value"]
    assert (value["since"], value["leaseUntil"]) == ("2026-05-01T12:00:00Z", "2026-05-01T12:13:20Z")


def test_a_lock_that_was_taken_over_can_be_neither_renewed_nor_released(project: FakeProject, lock: ImportLock) -> None:
    """The old owner learns that it is not the owner any more, and the new one keeps its lock."""
    _take(lock, project, "run-1")
    project.clock.now += LEASE_S + 1
    _take(lock, project, "run-2")
    for attempt in (
        lambda: lock.renew("customers", "run-1", LEASE_S, project.clock.budget()),
        lambda: lock.release("customers", "run-1", project.clock.budget()),
        lambda: lock.renew("customers", "run-2", LEASE_S, project.clock.budget(), version=2),
        lambda: lock.release("customers", "run-2", project.clock.budget(), version=2),
    ):
        with pytest.raises(StaleWrite):
            attempt()
    assert project.objects[PLACE]["version"] == 3


def test_versions_that_begin_anew_after_a_release_do_not_deceive_an_old_owner(project: FakeProject, lock: ImportLock) -> None:
    """A new object may reach the version that a late process remembers; the owner decides."""
    _take(lock, project, "run-1")
    project.clock.now += LEASE_S + 1
    lock.clear("customers", project.clock.budget())
    assert _take(lock, project, "run-2") == Taken(2)
    with pytest.raises(StaleWrite):
        lock.release("customers", "run-1", project.clock.budget(), version=2)
    with pytest.raises(StaleWrite):
        lock.renew("customers", "run-1", LEASE_S, project.clock.budget(), version=2)
    assert project.objects[PLACE]["value"]["owner"] == "run-2"


def test_a_renewal_that_loses_the_race_is_stale(project: FakeProject, lock: ImportLock) -> None:
    """Two processes of one run renew from the same version: one wins."""
    _take(lock, project, "run-1")

    def other(request: httpx.Request) -> None:
        if request.method == "POST":
            project.before = lambda _request: None
            lock.renew("customers", "run-1", LEASE_S, project.clock.budget())

    project.before = other
    with pytest.raises(StaleWrite):
        lock.renew("customers", "run-1", LEASE_S, project.clock.budget())
    assert project.objects[PLACE]["version"] == 3


def test_a_release_removes_the_object_and_may_be_repeated(project: FakeProject, lock: ImportLock) -> None:
    """The older product takes any object for a lock, so none is left."""
    taken = _take(lock, project, "run-1")
    assert isinstance(taken, Taken)
    lock.release("customers", "run-1", project.clock.budget(), version=taken.version)
    assert PLACE not in project.objects
    lock.release("customers", "run-1", project.clock.budget())
    assert lock.read("customers", project.clock.budget()) is None


def test_clearing_removes_whatever_is_there_and_says_what_it_was(project: FakeProject, lock: ImportLock) -> None:
    """For `unlock`: ours, the older product's, a free object, or nothing."""
    budget = project.clock.budget()
    assert lock.clear("customers", budget) is None
    project.objects[PLACE] = _standing(9, "1")
    assert lock.clear("customers", budget) == Held(None, foreign=True, since="2025-01-01T00:00:00Z", expires=None)
    _take(lock, project, "run-1")
    cleared = lock.clear("customers", budget)
    assert isinstance(cleared, Held)
    assert cleared.run_id == "run-1"
    assert project.objects == {}


def test_clearing_does_not_remove_what_nobody_looked_at(project: FakeProject, lock: ImportLock) -> None:
    """It changed between the look and the removal."""
    _take(lock, project, "run-1")

    def renew(request: httpx.Request) -> None:
        if request.method == "DELETE":
            project.before = lambda _request: None
            lock.renew("customers", "run-1", LEASE_S, project.clock.budget())

    project.before = renew
    with pytest.raises(StaleWrite):
        lock.clear("customers", project.clock.budget())
    assert PLACE in project.objects


def _lose_answer(project: FakeProject, method: str, count: int) -> None:
    """The `count`-th request of this method is handled, but its answer is lost."""
    left = count

    def lose(request: httpx.Request, _response: httpx.Response) -> None:
        nonlocal left
        left -= request.method == method
        if request.method == method and left == 0:
            raise httpx.ReadError("connection lost")

    project.after = lose


def test_a_taking_whose_answer_was_lost_is_recognised_as_ours(project: FakeProject, lock: ImportLock) -> None:
    """The repetition conflicts with our own first write, which is no reason to answer "locked"."""
    _lose_answer(project, "POST", 2)
    assert _take(lock, project, "run-1") == Taken(2)


def test_a_renewal_whose_answer_was_lost_is_recognised_as_ours(project: FakeProject, lock: ImportLock) -> None:
    """Likewise."""
    _take(lock, project, "run-1")
    _lose_answer(project, "POST", 1)
    assert lock.renew("customers", "run-1", LEASE_S, project.clock.budget()) == 3


def test_a_release_whose_answer_was_lost_is_done(project: FakeProject, lock: ImportLock) -> None:
    """The repetition finds nothing, which is as good."""
    _take(lock, project, "run-1")
    _lose_answer(project, "DELETE", 1)
    lock.release("customers", "run-1", project.clock.budget())
    assert PLACE not in project.objects


def test_two_processes_that_resume_the_same_run_do_not_both_get_the_lock(project: FakeProject) -> None:
    """The owner alone does not tell them apart; each write has a number of its own."""
    first, second = ImportLock(project.client()), ImportLock(project.client())
    results: list[Taken | Held] = []

    def other(request: httpx.Request) -> None:
        if request.method == "POST" and "owner" in json.loads(request.content)["value"]:
            project.before = lambda _request: None
            results.append(_take(second, project, "run-1"))

    project.before = other
    results.append(_take(first, project, "run-1"))
    assert sorted(type(result).__name__ for result in results) == ["Held", "Taken"]


def test_without_the_hosts_time_nothing_is_taken_over(project: FakeProject, lock: ImportLock) -> None:
    """No Date header, no lease: worth another try, never a guess by the machine's clock."""
    project.objects[PLACE] = _standing(1, {"free": True})
    project.after = lambda _request, response: response.headers.pop("Date")
    with pytest.raises(HostDown, match="Date"):
        _take(lock, project, "run-1")


def test_a_host_that_creates_nothing_with_a_version_still_gives_a_lock(project: FakeProject, lock: ImportLock) -> None:
    """Then the object is made without, and the lock counts only after a second look some time later."""
    project.create_with_version = False
    assert _take(lock, project, "run-1") == Taken(2)
    assert sum(project.clock.slept) >= 2
    assert isinstance(_take(lock, project, "run-2"), Held)


def test_on_such_a_host_a_lock_that_was_wiped_out_by_a_slow_taker_is_not_believed(project: FakeProject) -> None:
    """The slow one's creation without a version replaces the quick one's lock; its second look tells the quick one."""
    project.create_with_version = False
    quick, slow, told = ImportLock(project.client()), ImportLock(project.client()), list[Taken | Held]()

    def wiped_meanwhile(seconds: float) -> None:
        project.clock.now += seconds
        if not told:
            project.objects[PLACE] = _standing(3, {"free": True})
            told.append(_take(slow, project, "slow"))

    budget = Budget(project.clock.now + 600, project.clock.read, wiped_meanwhile)
    last = quick.take("customers", "quick", LEASE_S, budget)
    assert told == [Taken(4)]
    assert isinstance(last, Held)
    assert last.run_id == "slow"


def test_a_lock_that_changes_all_the_time_is_transient(project: FakeProject, lock: ImportLock) -> None:
    """No answer can be given, so none is invented."""
    project.script = [error_body(404, "ResourceNotFound"), error_body(409, "ConcurrentModification")] * 20
    with pytest.raises(TransientError):
        _take(lock, project, "run-1")


def test_of_fifty_that_take_it_at_once_exactly_one_wins(project: FakeProject) -> None:
    """The others learn who it was."""
    together, client = threading.Barrier(50), project.client()

    def take(number: int) -> Taken | Held:
        lock = ImportLock(client)
        together.wait()
        return lock.take("customers", f"run-{number}", LEASE_S, budget_of(60))

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(take, range(50)))
    winners = [number for number, result in enumerate(results) if isinstance(result, Taken)]
    assert len(winners) == 1
    assert {result.run_id for result in results if isinstance(result, Held)} == {f"run-{winners[0]}"}


class _Turns:
    """Lets two takers run one request at a time, in a given order; what comes after the order goes to the first who can."""

    def __init__(self, order: str) -> None:
        self.order, self.taken = order, ""
        self._waiting: set[str] = set()
        self._ended: set[str] = set()
        self._turn: str | None = None
        self._changed = threading.Condition()

    def request(self, name: str) -> None:
        """Called before each request: wait for the turn."""
        with self._changed:
            self._turn = None if self._turn == name else self._turn
            self._waiting.add(name)
            self._give()
            assert self._changed.wait_for(lambda: self._turn == name, 20)
            self._waiting.discard(name)

    def end(self, name: str) -> None:
        with self._changed:
            self._ended.add(name)
            self._turn = None if self._turn == name else self._turn
            self._give()

    def _give(self) -> None:
        if self._turn is None and self._waiting | self._ended == {"a", "b"} and self._waiting:
            position = len(self.taken)
            wish = self.order[position] if position < len(self.order) else min(self._waiting)
            self._turn = wish if wish in self._waiting else min(self._waiting)
            self.taken += self._turn
            self._changed.notify_all()


def _interleavings(prepare: str) -> Iterator[tuple[str, dict[str, Taken | Held]]]:
    """Every order in which the requests of two takers can reach the host, with what each was told."""
    pending, done = [""], set[str]()
    while pending:
        order = pending.pop()
        project = FakeProject(Clock())
        turns = _Turns(order)
        results: dict[str, Taken | Held] = {}
        locks = {name: ImportLock(project.client()) for name in "ab"}
        for lock in locks.values():
            lock.read("customers", project.clock.budget())
        if prepare == "expired":
            locks["a"].take("customers", "dead", 1.0, project.clock.budget())
            project.clock.now += 5
        elif prepare == "free":
            project.objects[PLACE] = _standing(1, {"free": True})
        project.before = lambda _request, turns=turns: turns.request(threading.current_thread().name)

        def run(name: str) -> None:
            results[name] = locks[name].take("customers", name, LEASE_S, project.clock.budget())  # noqa: B023 - ends in this round
            turns.end(name)  # noqa: B023

        threads = [threading.Thread(target=run, args=(name,), name=name) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        if turns.taken not in done:
            done.add(turns.taken)
            pending += [turns.taken[:at] + ("b" if turns.taken[at] == "a" else "a") for at in range(len(order), len(turns.taken))]
            yield turns.taken, results


@pytest.mark.parametrize("prepare", ["absent", "free", "expired"])
def test_in_every_interleaving_of_two_takers_exactly_one_wins(prepare: str) -> None:
    """From nothing, from a free object and from an expired lock; the loser is told of the winner."""
    orders = 0
    for order, results in _interleavings(prepare):
        orders += 1
        winners = [name for name, result in results.items() if isinstance(result, Taken)]
        assert len(winners) == 1, order
        (loser,) = (result for result in results.values() if isinstance(result, Held))
        assert loser.run_id == winners[0], order
    assert orders >= 5
