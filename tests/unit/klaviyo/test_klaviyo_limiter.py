"""The process stays within Klaviyo's windows, pauses when told, and leaves room for realtime (decisions.md 9, klaviyo.md 2.2)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from klaviyo_doubles import VirtualTime

from shared.budget import Budget
from shared.errors import Host, Interrupted, RateLimited
from shared.klaviyo import limits
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.limits import Endpoint

SMALL = Endpoint("small", "POST", "/small", burst=3, steady=8)
SWIFT = Endpoint("swift", "POST", "/swift", burst=3, steady=60)
JOBS = limits.IMPORT_PROFILES
UPSERT = limits.UPSERT_PROFILE


def send_times(limiter: Limiter, endpoint: Endpoint, time: VirtualTime, count: int) -> list[float]:
    """When `count` requests that are answered at once go out, relative to the first moment."""
    start, times = time.monotonic(), []
    for _ in range(count):
        permit = limiter.acquire(endpoint, time.budget())
        times.append(round(time.monotonic() - start, 3))
        limiter.observe(permit, 200, {})
    return times


@settings(max_examples=60, deadline=None)
@given(
    endpoint=st.sampled_from([SMALL, SWIFT]),
    offsets=st.tuples(st.floats(0, 1), st.floats(0, 60)),
    latencies=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=12),
    threads=st.integers(1, 4),
)
def test_no_second_and_no_minute_of_the_server_ever_holds_too_much(
    endpoint: Endpoint, offsets: tuple[float, float], latencies: list[tuple[float, float]], threads: int
) -> None:
    """However the server's windows are aligned, whatever the way there and back takes, from however many threads."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    seconds, minutes = Counter[int](), Counter[int]()

    def sender(first: int) -> Callable[[], None]:
        def send() -> None:
            for number in range(first, 24, threads):
                there_s, back_s = latencies[number % len(latencies)]
                permit = limiter.acquire(endpoint, time.budget())
                time.sleep(there_s)
                arrived = time.monotonic()
                seconds[math.floor(arrived + offsets[0])] += 1
                minutes[math.floor((arrived + offsets[1]) / 60)] += 1
                time.sleep(back_s)
                limiter.observe(permit, 200, {})

        return send

    time.run(*(sender(first) for first in range(threads)))
    assert sum(minutes.values()) == 24
    assert max(seconds.values()) <= endpoint.burst
    assert max(minutes.values()) <= endpoint.steady


def test_a_request_counts_from_its_answer_since_it_may_have_arrived_just_before() -> None:
    """Three that were long on their way and three that were not must not meet within one second at the server."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    arrived: list[float] = []

    def send_twice() -> None:
        for there_s in (0.9, 0.0):
            permit = limiter.acquire(SWIFT, time.budget())
            time.sleep(there_s)
            arrived.append(time.monotonic())
            limiter.observe(permit, 200, {})

    time.run(send_twice, send_twice, send_twice)
    assert min(arrived[3:]) - max(arrived[:3]) >= 1


def test_the_first_half_of_a_minute_goes_in_bursts_and_the_second_evenly() -> None:
    """8 a minute, 3 a second: 4 at burst speed, then one each 7.5 s, and when the minute is over the oldest places again."""
    time = VirtualTime()
    times = send_times(Limiter(monotonic=time.monotonic), SMALL, time, 12)
    assert times == [0, 0, 0, 1.0, 8.5, 16.0, 23.5, 31.0, 60.0, 67.5, 75.0, 82.5]


def test_ten_jobs_leave_within_a_second_and_throughput_reaches_the_steady_limit() -> None:
    """A hundred thousand customers need ten requests: no pacing delays them; 600 take the four minutes that they must."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    assert send_times(limiter, JOBS, time, 10) == [0] * 10
    time = VirtualTime()
    assert send_times(Limiter(monotonic=time.monotonic), JOBS, time, 600)[-1] <= 240


def test_each_endpoint_has_a_quota_of_its_own() -> None:
    """A full one does not hold up another."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    send_times(limiter, SMALL, time, 3)
    assert send_times(limiter, JOBS, time, 10) == [0] * 10


def most_within_a_second(limiter: Limiter, endpoint: Endpoint, time: VirtualTime) -> int:
    return sum(1 for sent in send_times(limiter, endpoint, time, endpoint.burst + 1) if sent < 1)


@pytest.mark.parametrize(("share", "burst"), [(1.0, 10), (0.5, 5), (1 / 3, 3), (0.1, 1), (0.001, 1)])
def test_a_process_takes_its_share_and_never_less_than_one(share: float, burst: int) -> None:
    """`KLAVIYO_RATE_SHARE` scales both windows, rounded down, to at least one request each."""
    time = VirtualTime()
    assert most_within_a_second(Limiter(rate_share=share, monotonic=time.monotonic), JOBS, time) == burst


def test_the_smallest_share_still_sends_once_a_minute() -> None:
    """A share of nearly nothing must not stop the import."""
    time = VirtualTime()
    assert send_times(Limiter(rate_share=0.0001, monotonic=time.monotonic), JOBS, time, 3) == [0, 60.0, 120.0]


def test_an_import_takes_a_quarter_of_what_realtime_needs_and_all_of_its_own() -> None:
    """75 a second of single profiles become 18; job endpoints stay whole."""
    time = VirtualTime()
    limiter = Limiter(realtime_headroom=True, monotonic=time.monotonic)
    assert most_within_a_second(limiter, UPSERT, time) == 18
    assert most_within_a_second(limiter, JOBS, time) == 10


def test_a_429_pauses_its_endpoint_for_all_threads_and_one_probe_goes_first() -> None:
    """After `Retry-After` a single request is under way until it was answered; then the others follow."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    start = time.monotonic()
    refused = limiter.acquire(JOBS, time.budget())
    limiter.observe(refused, 429, {"retry-after": "7"})
    sent: list[float] = []

    def send() -> None:
        permit = limiter.acquire(JOBS, time.budget())
        sent.append(time.monotonic() - start)
        time.sleep(2)
        limiter.observe(permit, 200, {})

    time.run(send, send, send)
    assert sent[0] == pytest.approx(7)
    assert sent[1:] == pytest.approx([9, 9], abs=0.1)


def test_a_refused_probe_pauses_again_and_a_probe_without_an_answer_is_followed_by_another() -> None:
    """Only an answer other than 429 opens the gate."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    start = time.monotonic()
    limiter.observe(limiter.acquire(JOBS, time.budget()), 429, {"retry-after": "5"})
    limiter.observe(limiter.acquire(JOBS, time.budget()), 429, {"retry-after": "5"})
    probe = limiter.acquire(JOBS, time.budget())
    assert (probe.probe, time.monotonic() - start) == (True, 10)
    limiter.observe(probe, None, {})
    second = limiter.acquire(JOBS, time.budget())
    assert second.probe
    limiter.observe(second, 200, {})
    assert not limiter.acquire(JOBS, time.budget()).probe


def test_an_answer_that_was_under_way_before_the_pause_does_not_end_it() -> None:
    """Requests sent together are answered apart."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    first, second = limiter.acquire(JOBS, time.budget()), limiter.acquire(JOBS, time.budget())
    limiter.observe(first, 429, {"retry-after": "30"})
    limiter.observe(second, 202, {})
    before = time.monotonic()
    limiter.acquire(JOBS, time.budget())
    assert time.monotonic() - before == 30


def test_a_429_without_a_time_or_with_zero_pauses_a_second() -> None:
    """ "Available in 0 seconds" is followed by another refusal."""
    for headers in ({}, {"retry-after": "0"}, {"retry-after": "soon"}):
        time = VirtualTime()
        limiter = Limiter(monotonic=time.monotonic)
        limiter.observe(limiter.acquire(JOBS, time.budget()), 429, headers)
        before = time.monotonic()
        limiter.acquire(JOBS, time.budget())
        assert time.monotonic() - before == 1


def quota(remaining: int, reset_s: int, limit: str = "10, 10;w=1, 150;w=60") -> dict[str, str]:
    return {"ratelimit-limit": limit, "ratelimit-remaining": str(remaining), "ratelimit-reset": str(reset_s)}


def test_what_others_used_of_the_minute_is_believed() -> None:
    """Two left for another 40 s: two go, the third waits for the server's new minute."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    limiter.observe(limiter.acquire(JOBS, time.budget()), 202, quota(2, 40))
    times = send_times(limiter, JOBS, time, 3)
    assert times[1] < 40
    assert times[2] == 40


def test_requests_under_way_may_be_missing_from_the_servers_count() -> None:
    """One is left by the first answer, and one is under way: a third has to wait."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    first, _second = limiter.acquire(JOBS, time.budget()), limiter.acquire(JOBS, time.budget())
    limiter.observe(first, 202, quota(1, 40))
    assert send_times(limiter, JOBS, time, 1) == [40]


def test_a_server_that_sees_more_left_than_we_do_changes_nothing() -> None:
    """The lower of both counts: our own windows hold all the same."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    times = []
    for _ in range(9):
        permit = limiter.acquire(SMALL, time.budget())
        times.append(time.monotonic())
        limiter.observe(permit, 200, {"ratelimit-remaining": "5000", "ratelimit-reset": "60"})
    assert times[8] - times[0] >= 60


def test_an_answer_of_the_minute_before_that_was_overtaken_is_not_believed() -> None:
    """Its low count belongs to a window that is over."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    old, new = limiter.acquire(JOBS, time.budget()), limiter.acquire(JOBS, time.budget())
    limiter.observe(new, 202, quota(149, 60))
    limiter.observe(old, 202, quota(0, 1))
    assert send_times(limiter, JOBS, time, 8) == [0] * 8


def test_limits_that_the_server_names_replace_the_tables() -> None:
    """Klaviyo changes limits without a new revision; the share applies to them as well."""
    time = VirtualTime()
    limiter = Limiter(rate_share=0.5, monotonic=time.monotonic)
    limiter.observe(limiter.acquire(JOBS, time.budget()), 202, quota(3499, 60, "350, 350;w=1, 3500;w=60"))
    assert sum(1 for sent in send_times(limiter, JOBS, time, 180) if sent < 1) == 174


def test_headers_that_make_no_sense_change_nothing() -> None:
    """What cannot be read is as if it were not there."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    odd = {"ratelimit-limit": "many", "ratelimit-remaining": "-1", "ratelimit-reset": "nan"}
    limiter.observe(limiter.acquire(JOBS, time.budget()), 202, odd)
    assert send_times(limiter, JOBS, time, 9) == [0] * 9


def test_a_pause_that_exceeds_the_budget_is_told_at_once() -> None:
    """Nothing is gained by sleeping up to the deadline; and it is the quota that is used up, not the time for the work."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    limiter.observe(limiter.acquire(JOBS, time.budget()), 429, {"retry-after": "60"})
    before = time.monotonic()
    with pytest.raises(RateLimited) as limited:
        limiter.acquire(JOBS, time.budget(30))
    assert (limited.value.host, limited.value.retry_after_s) == (Host.KLAVIYO, 60)
    assert time.monotonic() == before


def test_a_used_up_window_that_outlasts_the_budget_is_told_as_a_pause_is() -> None:
    """Eight of eight sent: the next place is free when the first is a minute old."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    send_times(limiter, SMALL, time, 8)
    with pytest.raises(RateLimited) as limited:
        limiter.acquire(SMALL, time.budget(20))
    assert limited.value.retry_after_s == pytest.approx(29.0)


def test_a_deadline_that_has_passed_is_no_fault_of_the_quota() -> None:
    """The budget is asked first."""
    time = VirtualTime()
    with pytest.raises(Interrupted) as interrupted:
        Limiter(monotonic=time.monotonic).acquire(JOBS, time.budget(0))
    assert interrupted.value.cause is Interrupted.Cause.DEADLINE


def test_a_stop_is_noticed_within_a_second_of_waiting() -> None:
    """The wait is slept in slices."""
    time = VirtualTime()
    limiter = Limiter(monotonic=time.monotonic)
    limiter.observe(limiter.acquire(JOBS, time.budget()), 429, {"retry-after": "60"})
    start = time.monotonic()

    def stop() -> None:
        if time.monotonic() - start > 5:
            raise Interrupted(Interrupted.Cause.STOP)

    budget = Budget(start + 1_000, time.monotonic, time.sleep, stop)
    with pytest.raises(Interrupted):
        limiter.acquire(JOBS, budget)
    assert time.monotonic() - start <= 6
