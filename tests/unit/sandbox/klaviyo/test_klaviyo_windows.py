"""Both fixed rate windows of every endpoint, and what the headers say about them."""

from collections.abc import Callable

from klaviyo_bench import Bench, profile

JOBS = "/api/profile-bulk-import-jobs"


def test_the_burst_window_refuses_the_eleventh_request_of_a_second(bench: Bench) -> None:
    """10/s: the eleventh is 429, the next second is fresh."""
    assert [bench.call("GET", JOBS).status_code for _ in range(11)] == [200] * 10 + [429]
    bench.now += 1
    assert bench.call("GET", JOBS).status_code == 200


def test_the_steady_window_refuses_beyond_its_minute(bench: Bench) -> None:
    """150/min: used up at burst rate in 15 s, closed until the minute is over."""
    for second in range(15):
        bench.now += 1 if second else 0
        assert {bench.call("GET", JOBS).status_code for _ in range(10)} == {200}
    bench.now += 1
    refused = bench.call("GET", JOBS)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "45")
    bench.now += 45
    assert bench.call("GET", JOBS).status_code == 200


def test_a_refusal_carries_only_retry_after(bench: Bench) -> None:
    """Code `throttled`, no RateLimit headers."""
    for _ in range(10):
        bench.call("GET", JOBS)
    refused = bench.call("GET", JOBS)
    assert refused.json()["errors"][0]["code"] == "throttled"
    assert refused.headers["Retry-After"] == "1"
    assert not [name for name in refused.headers if name.startswith("ratelimit")]


def test_other_answers_describe_the_steady_window(bench: Bench) -> None:
    """Limit names both windows; remaining and reset count the minute, errors included."""
    bench.now += 20
    first = bench.call("GET", JOBS)
    second = bench.call("GET", f"{JOBS}/unknown")
    third = bench.call("GET", f"{JOBS}?x=1")
    assert first.headers["RateLimit-Limit"] == "10, 10;w=1, 150;w=60"
    assert (first.headers["RateLimit-Remaining"], first.headers["RateLimit-Reset"]) == ("149", "40")
    assert (second.status_code, second.headers["RateLimit-Remaining"]) == (404, "149")
    assert (third.status_code, third.headers["RateLimit-Remaining"]) == (400, "148")
    assert "Retry-After" not in first.headers


def test_endpoints_do_not_share_a_quota(bench: Bench) -> None:
    """Method and path template make an endpoint; two ids of one template are the same one."""
    for _ in range(10):
        bench.call("GET", f"{JOBS}/a")
    assert bench.call("GET", f"{JOBS}/b").status_code == 429
    assert bench.call("GET", JOBS).status_code == 200
    assert bench.call("GET", f"{JOBS}/a/import-errors").status_code == 404


def test_a_refused_request_has_no_effect(bench: Bench) -> None:
    """Nothing is stored on 429."""
    for i in range(76):
        bench.post("/api/profile-import", {"data": profile(email=f"p{i}@example.com")})
    assert len(bench.get("/api/profiles", **{"page[size]": "100"})["data"]) == 75


def test_windows_can_be_switched_off(make_bench: Callable[..., Bench]) -> None:
    """For tests that are about something else."""
    bench = make_bench(rate_limits=False)
    assert {bench.call("GET", JOBS).status_code for _ in range(30)} == {200}
