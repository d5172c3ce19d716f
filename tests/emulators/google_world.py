"""Google Cloud on this machine between both simulators: what callers ask of it, and what an onlooker sees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from google_emulators import new_project

from sandbox.checker_imports import ImportCheck, check_import
from sandbox.checker_ledger import check_limits, read_ledger
from sandbox.checker_sources import stored
from sandbox.emulators import Emulators
from sandbox.google_cloud import GoogleCloud, Layout, google_cloud
from sandbox.google_topics import Terms
from sandbox.launch import HTTP, Sandbox
from sandbox.notifications.platform import Notification
from sandbox.notifications.project import ProjectControl
from sandbox.notifications.shop import Act, Shop
from shared.bulk.ports import RunStore
from shared.bulk.records import LINKS, Batch, BatchStatus, child_id
from shared.bulk.watch import BATCH_LEASE_S
from shared.google.run_store import open_run_store
from shared.settings import load

KINDS = ("categories", "products", "customers", "orders")
SIZES = {"customers": 2_500, "orders": 1_100, "products": 60, "categories": 30}
JOB_S = 0.3
SHORT = Terms(ack_deadline_s=60, first_backoff_s=0.1, longest_backoff_s=1.0)
"""Nobody waits ten seconds for the second delivery here."""
FINISHED = {"completed", "completed_with_errors", "stopped", "halted", "abandoned"}

Status = dict[str, Any]


@dataclass(slots=True)
class World:
    """A cloud between simulators; `store` is the product's own store of runs, opened by this process too."""

    cloud: GoogleCloud
    servers: Sandbox
    store: RunStore

    @property
    def commercetools(self) -> str:
        """Where the simulated commercetools answers."""
        return self.servers.commercetools.url

    @property
    def klaviyo(self) -> str:
        """Where the simulated Klaviyo answers."""
        return self.servers.klaviyo.url

    def reset(self) -> None:
        """Both simulators as they were at their start, without faults; nothing may be under way."""
        set_back(self.servers)

    # The import API

    def start(self, kind: str, **body: Any) -> str:
        """Start an import; the id of its run."""
        answer = HTTP.post(f"{self.cloud.dispatch.url()}/sync/{kind}", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["runId"])

    def status(self, kind: str) -> Status:
        """The newest run of a kind."""
        return dict(HTTP.get(f"{self.cloud.dispatch.url()}/sync/{kind}/status").raise_for_status().json())

    def finished(self, kind: str, run_id: str, within_s: float = 150.0) -> Status:
        """The status of a run at its end; every item of it is accounted for."""
        found: Status = {}

        def has_ended() -> bool:
            with suppress(httpx.HTTPError):  # a killed dispatcher is away for a moment
                found.update(self.status(kind))
            return found.get("status") in FINISHED

        self.until(has_ended, lambda: f"{found}\n" + "\n".join(self.cloud.lines()[-60:]), within_s)
        assert found["runId"] == run_id
        return found

    # Time

    @staticmethod
    def until(holds: Callable[[], object], otherwise: str | Callable[[], str], within_s: float = 90.0) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(otherwise if isinstance(otherwise, str) else otherwise())
            time.sleep(0.05)

    def batches(self, run_id: str, *statuses: BatchStatus) -> list[Batch]:
        """The batches of a run, or of the links of a chain, in any of these states."""
        runs = [run_id, *(child_id(run_id, kind) for kind in LINKS)]
        return [batch for name in runs for batch in self.store.batches(name, statuses or tuple(BatchStatus))]

    def leases_run_out(self, run_id: str) -> list[Batch]:
        """What a dead worker's batches become once it has been silent for the length of a lease: free, by a clock that is ahead.

        Whoever comes takes such a batch over by itself; this only saves the waiting. Those that were under way.
        """
        later = datetime.now(UTC) + timedelta(seconds=BATCH_LEASE_S + 1)
        cut_off = self.batches(run_id, BatchStatus.WORKING)
        for batch in cut_off:
            run = self.store.run(batch.run_id)
            assert run is not None
            taken = self.store.take(run.run_id, run.fence, batch.batch_id, "a later moment", later, later)
            if isinstance(taken, Batch):
                self.store.put_back(
                    taken,
                    "a later moment",
                    cursor=taken.cursor,
                    result=taken.result,
                    count_attempt=False,
                    carried=taken.carried,
                )
        return cut_off

    def acknowledged(self) -> int:
        """How many deliveries of notifications were."""
        return sum(200 <= status < 300 for status in self.cloud.pushed.statuses)

    # What both sides have

    def events(self) -> Counter[tuple[str, str]]:
        """The events that Klaviyo has, by metric and unique id."""
        return Counter((event["metric"], event["unique_id"]) for event in stored(self.klaviyo, "events", full=False))

    def profile(self, customer_id: str) -> Mapping[str, Any] | None:
        """The attributes of a customer's profile."""
        rows = stored(self.klaviyo, "profiles")
        return next((row["attributes"] for row in rows if row["external_id"] == customer_id), None)

    def checks(self, live: Collection[str] = ()) -> dict[str, ImportCheck]:
        """What the checkers find, who know nothing of the product; nothing may be wrong with any kind."""
        return {kind: self.checks_of(kind, live) for kind in KINDS}

    def checks_of(self, kind: str, live: Collection[str] = ()) -> ImportCheck:
        """The same for one kind."""
        check = check_import(kind, self.commercetools, self.klaviyo, live=live)
        assert check.problems == ()
        assert check_limits(read_ledger(self.klaviyo)).problems == ()
        return check

    @contextmanager
    def shop(self, seed: int = 7) -> Iterator[Shop]:
        """A shop whose acts change the project; nobody is told of them yet."""
        with closing(ProjectControl(self.commercetools)) as project:
            yield Shop(project, Random(seed))

    def tell(self, *acts: Act) -> list[Notification]:
        """Publish the notifications of these acts, as commercetools does."""
        told = [notification for act in acts for notification in act.notifications]
        for notification in told:
            self.cloud.notify(notification)
        return told


@contextmanager
def world_of(google: Emulators, servers: Sandbox, layout: Layout, **variables: str) -> Iterator[World]:
    """A world in a Google Cloud project of its own, between simulators as they were at their start."""
    set_back(servers)
    project = new_project()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in google.environment(project).items():
            patch.setenv(name, value)
        with google_cloud(google, servers, project, layout, **variables) as cloud:
            yield World(cloud, servers, open_run_store(load(cloud.environment).google))


def set_back(servers: Sandbox) -> None:
    """Both simulators as they were at their start, without faults."""
    for url in (servers.commercetools.url, servers.klaviyo.url):
        control(url, "reset")
        HTTP.delete(f"{url}/_sandbox/faults").raise_for_status()
    control(servers.klaviyo.url, "settings", {"job_base_s": JOB_S})


def control(url: str, path: str, body: Any = None) -> httpx.Response:
    """A call of a simulator's control API."""
    return HTTP.post(f"{url}/_sandbox/{path}", json=body).raise_for_status()
