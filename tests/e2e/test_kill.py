"""kill -9 loses nothing, doubles nothing, and costs what was under way (flows.md "What may crash where, and what then")."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from depth import depth

from sandbox.checker_imports import check_import
from sandbox.checker_ledger import check_limits, read_ledger, written
from sandbox.launch import Launched, sandbox
from shared.bulk.records import Batch, BatchStatus
from shared.local.listening import free_port
from shared.sqlite.database import Database
from shared.sqlite.run_store import SqliteRunStore
from tests.e2e.bulk_world import KINDS
from tests.e2e.served_product import FINISHED, Product, control

KILLS = depth(5, 10)
"""In each test; one test a kind, in depth two."""
LONGEST_S = 1.0
VICTIMS = ("bulk_worker", "everything", "bulk_worker", "supervisor", "bulk_dispatch")
"""Of one run, in any order; a child that dies again and again at its start is given up, so not one and the same all the time."""
SAMPLES: Mapping[str, tuple[str, ...]] = {
    "customers": ("--customers", "7600"),
    "orders": ("--customers", "60", "--orders", "2100", "--lines", "1", "--products", "20", "--categories", "5"),
    "products": ("--customers", "0", "--products", "780", "--variants", "1", "--categories", "10"),
    "categories": ("--customers", "0", "--categories", "780"),
}
"""So many that there are four batches of each kind."""
BATCHES = 4
THINGS = {"customers": ("profile",), "orders": ("event",), "products": ("item", "variant"), "categories": ("category",)}
SLOW_EVENTS = {"kind": "delay", "endpoint": "POST /api/event-bulk-create-jobs", "seconds": 0.4}
"""Events have no jobs that take a while."""
LATENCY = {"read_p50_ms": 20.0, "read_p95_ms": 60.0, "write_p50_ms": 60.0, "write_p95_ms": 200.0}


@dataclass(slots=True)
class Killing:
    """An import, and what may have been cut off by those who kill it."""

    product: Product
    kind: str
    run_id: str
    serve: Launched
    kills: int = 0
    cut_off: Counter[str] = field(default_factory=Counter)
    _dead: dict[str, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to kill."""
        return self.batches_in(BatchStatus.DONE) == BATCHES and bool(self.product.status(self.kind)["status"] in FINISHED)

    def batches_in(self, *statuses: BatchStatus) -> int:
        """How many of its batches are in one of these states."""
        return len(self._batches(*statuses))

    def wait_for_work(self, within_s: float = 90.0) -> bool:
        """Until a batch is worked on, by somebody who is alive; False when the import ended before."""
        deadline = time.monotonic() + within_s
        while not any(batch.attempts > self._dead.get(batch.batch_id, 0) for batch in self._batches(BatchStatus.WORKING)):
            if self.batches_in(BatchStatus.DONE) == BATCHES:
                return False
            assert time.monotonic() < deadline, "nobody works on the import"
            time.sleep(0.02)
        return True

    def kill(self, victim: str) -> None:
        """SIGKILL; what was under way by then is noted, and what ends with the victim is started again."""
        if victim == "everything":
            self.serve.kill_group()
        elif victim == "supervisor":
            self.serve.kill()
        else:
            for process in psutil.Process(self.serve.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if any(victim in part for part in process.cmdline()):
                        process.kill()
        self.kills += 1
        begun = [batch for batch in self._batches(BatchStatus.WORKING, BatchStatus.QUEUED) if batch.attempts]
        if victim != "bulk_dispatch":  # which works on no batch
            self.cut_off.update(batch.batch_id for batch in begun)
            self._dead = {batch.batch_id: batch.attempts for batch in begun}
        if victim in {"everything", "supervisor"}:
            self.serve = self.product.start()

    def resume(self) -> None:
        """As somebody would who sees it interrupted; refused where it goes on by itself."""
        status = self.product.wait(lambda _: True, 30.0, self.kind)
        resumed = self.product.post(f"/runs/{status['runId']}/resume")
        assert resumed.status_code in {202, 409}, resumed.text

    def redone_most(self) -> int:
        """How many items may have been written again: those of the batches that each kill cut off.

        One place works at one batch; but while Klaviyo works at its jobs, the place is given to another. Orders have no jobs.
        """
        sizes = {batch.batch_id: batch.size for batch in self._batches(*BatchStatus)}
        cut_off = sum(sizes[name] * times for name, times in self.cut_off.items())
        return min(cut_off, self.kills * max(sizes.values())) if self.kind == "orders" else cut_off

    def never_cut_off(self) -> list[Batch]:
        """The batches that no kill has met."""
        return [batch for batch in self._batches(BatchStatus.DONE) if batch.batch_id not in self.cut_off]

    def _batches(self, *statuses: BatchStatus) -> list[Batch]:
        with Database(Path(self.product.environment["STATE_PATH"])) as database:
            return SqliteRunStore(database).batches(self.run_id, statuses)


@pytest.fixture
def killed_product(kind: str, tmp_path: Path) -> Iterator[Product]:
    """The product with one place to work, between simulators whose sample is four batches."""
    arguments = [*SAMPLES[kind], "--malformed-emails", "0"]
    with sandbox(commercetools=arguments, klaviyo=["--job-seconds", "0.4"]) as servers:
        under_test = Product(servers, servers.environment(tmp_path / "0.sqlite3", free_port(), LOG_FORMAT="json", WORKERS="1"))
        yield under_test
        for process in under_test.processes:
            process.kill_group()


@pytest.mark.parametrize("seed", range(depth(1, 2)))
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_import_goes_on_where_it_was(killed_product: Product, tmp_path: Path, kind: str, seed: int) -> None:
    """Case 79: SIGKILL again and again, at random moments, of whatever process: each import ends complete, all is there once, and
    only the batches that a kill cut off have been worked again."""
    rng = random.Random(f"{kind}-{seed}")  # moments and victims differ from test to test, and are the same in every run
    kills = number = 0
    while kills < KILLS:
        killing = _started(killed_product, kind)
        for victim in rng.sample(VICTIMS, min(len(VICTIMS), KILLS - kills)):
            if not killing.wait_for_work():
                break
            time.sleep(rng.uniform(0.0, LONGEST_S))
            if killing.is_over:
                break
            killing.kill(victim)
            killing.resume()
        _assert_whole(killing, killed_product.wait_finished(kind=kind))
        kills, number = kills + killing.kills, number + 1
        assert number <= 2 * KILLS, "the imports were over before they could be killed"
        killing.serve.kill_group()
        killed_product.start_over(tmp_path / f"{number}.sqlite3")


def _started(product: Product, kind: str) -> Killing:
    serve = product.start()
    for url in (product.servers.klaviyo.url, product.servers.commercetools.url):
        control(url, "latency", LATENCY)
    control(product.servers.klaviyo.url, "faults", [SLOW_EVENTS])
    answer = product.post(f"/sync/{kind}")
    assert answer.status_code == 202, answer.text
    return Killing(product, kind, answer.json()["runId"], serve)


def _assert_whole(killing: Killing, status: dict[str, Any]) -> None:
    kind, servers = killing.kind, killing.product.servers
    check = check_import(kind, servers.commercetools.url, servers.klaviyo.url)
    assert status["status"] == "completed", status
    assert (status["failed"], status["batches"]["planned"]) == (0, BATCHES), status
    assert status["seen"] == check.items == status["sent"] + status["skipped"]
    assert check.problems == ()
    assert check.refused == frozenset()
    account = read_ledger(servers.klaviyo.url)
    assert check_limits(account).problems == ()
    items: Counter[str] = Counter()
    for identity, count in written(account, THINGS[kind]).items():
        owner = check.owners.get(identity, identity)
        items[owner] = max(items[owner], count)
    again = {item: count - 1 for item, count in items.items() if count > 1}
    assert sum(again.values()) <= killing.redone_most()
    untouched = killing.never_cut_off()
    assert [item for item in again if any(batch.first <= item <= batch.last for batch in untouched)] == []
