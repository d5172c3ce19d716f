"""Injected faults, as the simulated Klaviyo plays them."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from klaviyo_bench import HEADERS, Bench, import_body, profile

from sandbox.fault_middleware import ConnectionDroppedError
from sandbox.faults import FaultPlan, FaultRule, LatencyProfile, lognormal_s
from sandbox.klaviyo import create_app

IMPORT = "/api/profile-import"
JOBS = "/api/profile-bulk-import-jobs"
ANNA = {"data": profile(external_id="anna")}


def inject(bench: Bench, *rules: dict[str, Any]) -> None:
    assert bench.call("POST", "/_sandbox/faults", list(rules)).status_code == 204


def test_the_first_requests_fail_with_a_status_and_have_no_effect(bench: Bench) -> None:
    """Vendor-shaped by default, recorded in the ledger as a fault."""
    inject(bench, {"kind": "status", "status": 503, "retry_after": "7", "first": 2})
    answers = [bench.post(IMPORT, ANNA) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 201]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[0].json()["errors"][0]["status"] == 503
    assert bench.effects() == [("profile_created", "anna")]
    assert [(entry.status, entry.fault) for entry in bench.account.ledger.entries] == [
        (503, "status"), (503, "status"), (201, None),
    ]  # fmt: skip


@pytest.mark.parametrize(("body", "start"), [("html", "<html"), ("text", "upstream"), ("empty", "")])
def test_an_outage_may_answer_in_other_forms(bench: Bench, body: str, start: str) -> None:
    """As proxies do."""
    inject(bench, {"kind": "status", "status": 525, "body": body})
    response = bench.post(IMPORT, ANNA)
    assert response.status_code == 525
    assert response.text.startswith(start)
    assert bool(response.text) == bool(start)


def test_a_fault_concerns_only_what_it_matches(bench: Bench) -> None:
    """By method, by path prefix, by endpoint key."""
    inject(
        bench,
        {"kind": "status", "status": 500, "method": "DELETE"},
        {"kind": "status", "status": 404, "path": "/api/profile-bulk"},
        {"kind": "status", "status": 502, "endpoint": "GET /api/metrics/{id}"},
    )
    assert bench.post(IMPORT, ANNA).status_code == 201
    assert bench.call("GET", JOBS).status_code == 404
    assert bench.call("GET", "/api/metrics").status_code == 200
    assert bench.call("GET", "/api/metrics/x").status_code == 502


def test_a_fault_may_have_a_window_in_time(bench: Bench) -> None:
    """Seconds from now."""
    inject(bench, {"kind": "status", "status": 500, "from_s": 10, "until_s": 20})
    seen = []
    for _ in range(5):
        seen.append(bench.call("GET", JOBS).status_code)
        bench.now += 5
    assert seen == [200, 200, 500, 500, 200]


def test_a_share_is_drawn_by_seed(bench: Bench) -> None:
    """The same seed fails the same requests."""

    def outcomes() -> list[int]:
        inject(bench, {"kind": "status", "status": 500, "share": 0.5, "seed": 7})
        return [bench.call("GET", "/api/profiles").status_code for _ in range(30)]

    first = outcomes()
    bench.now += 60
    assert outcomes() == first
    assert 5 < first.count(500) < 25


def test_skipping_some_requests_before_the_fault(bench: Bench) -> None:
    """The third request of its kind fails."""
    inject(bench, {"kind": "status", "status": 500, "skip": 2, "first": 1})
    assert [bench.call("GET", JOBS).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_a_connection_may_be_closed_without_an_answer(bench: Bench) -> None:
    """Before the request counts."""
    inject(bench, {"kind": "reset", "first": 1})
    with pytest.raises(ConnectionDroppedError):
        bench.post(IMPORT, ANNA)
    assert bench.effects() == []


def test_a_hang_ends_in_a_closed_connection(bench: Bench) -> None:
    """After its seconds, without effect."""
    inject(bench, {"kind": "hang", "seconds": 30, "first": 1})
    with pytest.raises(ConnectionDroppedError):
        bench.post(IMPORT, ANNA)
    assert bench.slept == [30]
    assert bench.effects() == []


def test_an_answer_may_be_lost_after_the_request_was_accepted(bench: Bench) -> None:
    """The effect is there; the ledger has the request with its status, and the loss."""
    inject(bench, {"kind": "lost", "first": 1})
    with pytest.raises(ConnectionDroppedError):
        bench.post(IMPORT, ANNA)
    assert bench.effects() == [("answer_lost", f"POST {IMPORT}"), ("profile_created", "anna")]
    assert [entry.status for entry in bench.account.ledger.entries] == [201]


def test_an_answer_may_be_truncated(bench: Bench) -> None:
    """Accepted, but the client cannot read it."""
    inject(bench, {"kind": "truncate", "first": 1})
    with pytest.raises(ConnectionDroppedError):
        bench.post(JOBS, import_body(profile(external_id="c1")))
    bench.now += 3
    assert ("profile_created", "c1") in bench.effects()


def test_a_quota_may_shrink_for_a_while(bench: Bench) -> None:
    """To a tenth: one request a second instead of ten, while the stated limit stays."""
    inject(bench, {"kind": "quota", "factor": 0.1, "until_s": 60})
    assert [bench.call("GET", JOBS).status_code for _ in range(3)] == [200, 429, 429]
    bench.now += 1
    response = bench.call("GET", JOBS)
    assert (response.headers["RateLimit-Limit"], response.headers["RateLimit-Remaining"]) == ("10, 10;w=1, 150;w=60", "13")
    bench.now += 60
    assert [bench.call("GET", JOBS).status_code for _ in range(10)] == [200] * 10


def test_delays_add_to_whatever_else_happens(bench: Bench) -> None:
    """A fixed part and a lognormal one."""
    inject(bench, {"kind": "delay", "seconds": 2}, {"kind": "delay", "seconds": 1}, {"kind": "status", "status": 500})
    assert bench.post(IMPORT, ANNA).status_code == 500
    assert bench.slept == [3]


def test_a_reset_ends_the_requests_that_are_held_up(bench: Bench) -> None:
    """What was sent before it does not show up in the account after it."""

    async def reset_meanwhile() -> None:
        over = asyncio.Event()

        async def sleep(_seconds: float) -> None:
            await over.wait()

        app = create_app(bench.settings, sleep=sleep)
        account = app.state.account
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://klaviyo.test", headers=HEADERS) as client:
            await client.post("/_sandbox/faults", json=[{"kind": "delay", "seconds": 60}])
            held = asyncio.create_task(client.post(IMPORT, json=ANNA))
            while not account.faults.counts()[0]["hit"]:
                await asyncio.sleep(0)
            assert (await client.post("/_sandbox/reset")).status_code == 204
            over.set()
            with pytest.raises(ConnectionDroppedError):
                await held
        assert (account.ledger.entries, list(account.ledger.effects())) == ([], [])

    asyncio.run(reset_meanwhile())


class Holding:
    """A simulator on one event loop, whose time stands still until `over`; requests are sent while others are held."""

    def __init__(self, client: httpx.AsyncClient, account: Any, over: asyncio.Event) -> None:
        self.client, self.account, self.over = client, account, over

    async def inject(self, *rules: dict[str, Any]) -> None:
        assert (await self.client.post("/_sandbox/faults", json=list(rules))).status_code == 204

    async def holds(self, number: int) -> None:
        """Until the first rule in force holds so many."""
        while (await self.client.get("/_sandbox/faults")).json()[0]["held"] != number:
            await asyncio.sleep(0)

    def sent(self, path: str = IMPORT) -> asyncio.Task[httpx.Response]:
        return asyncio.create_task(self.client.post(path, json=ANNA))

    def saw(self) -> list[int | None]:
        """The statuses in the ledger."""
        return [entry.status for entry in self.account.ledger.entries]


def holding(bench: Bench, story: Callable[[Holding], Awaitable[None]]) -> None:
    """Play a story in which requests are held."""

    async def play() -> None:
        over = asyncio.Event()

        async def sleep(_seconds: float) -> None:
            await over.wait()

        app = create_app(bench.settings, clock=lambda: bench.now, sleep=sleep)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://klaviyo.test", headers=HEADERS) as client:
            await asyncio.wait_for(story(Holding(client, app.state.account, over)), 60)

    asyncio.run(play())


@pytest.mark.parametrize("release", ["set", "cleared", "seconds over"])
def test_a_request_is_held_until_the_rules_change_or_its_seconds_are_over(bench: Bench, release: str) -> None:
    """The application does not see it before, and handles it as any other then; how many are held is shown meanwhile."""

    async def story(world: Holding) -> None:
        await world.inject({"kind": "hold", "seconds": 60, "path": IMPORT})
        held = [world.sent(), world.sent()]
        await world.holds(2)
        assert (await world.client.get(JOBS)).status_code == 200
        assert (world.saw(), [task.done() for task in held]) == ([200], [False, False])
        if release == "set":
            await world.inject({"kind": "status", "status": 500, "path": IMPORT})
        elif release == "cleared":
            await world.client.delete("/_sandbox/faults")
        else:
            world.over.set()
        assert sorted([(await task).status_code for task in held]) == [200, 201]
        assert len(world.saw()) == 3
        if release == "seconds over":
            await world.holds(0)

    holding(bench, story)


def test_a_hold_may_be_of_the_first_alone_and_what_is_added_does_not_end_it(bench: Bench) -> None:
    """The next one overtakes it; a status that hits the same request is answered after the hold."""

    async def story(world: Holding) -> None:
        await world.inject({"kind": "hold", "seconds": 60, "first": 1}, {"kind": "status", "status": 503, "first": 1})
        held = world.sent()
        await world.holds(1)
        world.account.faults.add(FaultRule(kind="status", status=500, path=JOBS))
        assert (await world.sent()).status_code == 201
        assert (await world.client.get(JOBS)).status_code == 500
        assert not held.done()
        await world.client.delete("/_sandbox/faults")
        assert (await held).status_code == 503

    holding(bench, story)


def test_a_reset_drops_what_is_held(bench: Bench) -> None:
    """As it drops what is delayed: nothing of it shows up in the account."""

    async def story(world: Holding) -> None:
        await world.inject({"kind": "hold", "seconds": 60})
        held = world.sent()
        await world.holds(1)
        assert (await world.client.post("/_sandbox/reset")).status_code == 204
        with pytest.raises(ConnectionDroppedError):
            await held
        assert (world.saw(), list(world.account.ledger.effects())) == ([], [])

    holding(bench, story)


def test_faults_can_be_seen_and_cleared(bench: Bench) -> None:
    """With how often each was met."""
    inject(bench, {"kind": "status", "status": 500, "first": 1})
    bench.call("GET", JOBS)
    bench.call("GET", JOBS)
    (shown,) = bench.call("GET", "/_sandbox/faults").json()
    assert (shown["matched"], shown["hit"], shown["rule"]["status"]) == (2, 1, 500)
    assert bench.call("DELETE", "/_sandbox/faults").status_code == 204
    assert bench.call("GET", "/_sandbox/faults").json() == []


@pytest.mark.parametrize("rules", [[{"kind": "boom"}], [{"kind": "status", "typo": 1}], [{"kind": "hold"}], {}])
def test_a_faulty_fault_is_refused(bench: Bench, rules: Any) -> None:
    """Unknown kinds and fields are 400, and a hold that would hold nothing."""
    assert bench.call("POST", "/_sandbox/faults", rules).status_code == 400


def test_control_routes_are_never_faulted(bench: Bench) -> None:
    """So that a fault can always be taken back."""
    inject(bench, {"kind": "status", "status": 500})
    assert bench.call("GET", "/_sandbox/summary").status_code == 200


def test_latency_has_the_percentiles_asked_for() -> None:
    """Reads and writes apart, lognormal."""
    rng = random.Random(1)
    drawn = sorted(lognormal_s(60, 180, rng) for _ in range(20_000))
    assert math.isclose(drawn[10_000], 0.060, rel_tol=0.05)
    assert math.isclose(drawn[19_000], 0.180, rel_tol=0.08)
    plan = FaultPlan(clock=lambda: 0.0)
    plan.set_latency(LatencyProfile(read_p50_ms=10, read_p95_ms=10))
    assert math.isclose(plan.decide("GET", "/").delay_s, 0.010)
    assert plan.decide("POST", "/").delay_s == 0


def test_rules_can_be_set_in_process() -> None:
    """Without a server: the plan decides."""
    plan = FaultPlan(clock=lambda: 0.0)
    plan.set([FaultRule(kind="status", first=1)])
    plan.add(FaultRule(kind="reset", method="POST"))
    kinds = [decision.rule.kind if decision.rule else None for decision in (plan.decide("GET", "/"), plan.decide("GET", "/"))]
    assert kinds == ["status", None]
    posted = plan.decide("POST", "/").rule
    assert posted is not None
    assert posted.kind == "reset"
    plan.clear()
    assert plan.decide("POST", "/").rule is None
