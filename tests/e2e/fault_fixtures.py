"""Faults for the simulators of an end-to-end test, and what their ledger says of an import that met them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.e2e.served_product import CUSTOMERS, HTTP, Product, control

IMPORT_JOBS = "/api/profile-bulk-import-jobs"
START_JOB = f"POST {IMPORT_JOBS}"
LIST_JOBS = f"GET {IMPORT_JOBS}"
GET_JOB = f"GET {IMPORT_JOBS}/{{job_id}}"

HELD_AT_MOST_S = 300.0
"""Longer than any test needs."""

Fault = Mapping[str, Any]
Request = Mapping[str, Any]


def inject(url: str, *faults: Fault) -> None:
    """Put these faults, fields of `sandbox.faults.FaultRule`, in force at a simulator; they replace all others."""
    control(url, "faults", list(faults))


def hits(url: str) -> list[int]:
    """How many requests each fault in force has hit, in order."""
    answer = HTTP.get(f"{url}/_sandbox/faults", timeout=30.0)
    answer.raise_for_status()
    return [rule["hit"] for rule in answer.json()]


def hold(url: str, **where: Any) -> None:
    """Requests to a simulator (`where`: the matchers of a rule) are held until other faults, or none, are put in force.

    It is the only fault then. The application sees what is held when it is let go; a reset drops it.
    """
    inject(url, {"kind": "hold", "seconds": HELD_AT_MOST_S, **where})


def is_held(url: str) -> bool:
    """Whether the first fault in force holds a request now."""
    answer = HTTP.get(f"{url}/_sandbox/faults", timeout=30.0)
    answer.raise_for_status()
    return bool(answer.json()[0]["held"])


def klaviyo_requests(url: str) -> list[Request]:
    """All requests in the simulated Klaviyo's ledger, by the time of their arrival (`at`, seconds)."""
    found: list[Request] = []
    while True:
        answer = HTTP.get(f"{url}/_sandbox/ledger", params={"after": len(found)}, timeout=30.0)
        answer.raise_for_status()
        page = answer.json()
        found += page
        if not page:
            return sorted(found, key=lambda request: request["at"])


def commercetools_requests(url: str) -> dict[tuple[str, int], int]:
    """How many requests the simulated commercetools answered, by (kind of path, status)."""
    answer = HTTP.get(f"{url}/_sandbox/requests", timeout=30.0)
    answer.raise_for_status()
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for line in answer.json()["requests"]:
        counts[line["endpoint"], line["status"]] += line["count"]
    return counts


@contextmanager
def klaviyo_settings(url: str, **changed: Any) -> Iterator[None]:
    """The simulated Klaviyo with other settings for a while; the faults in force stay."""
    before = HTTP.get(f"{url}/_sandbox/settings", timeout=30.0).json()
    control(url, "settings", changed)
    try:
        yield
    finally:
        control(url, "settings", {name: before[name] for name in changed})


def too_early(requests: Iterable[Request], pause_s: float, under_way_s: float) -> list[str]:
    """Requests that came before the pause after a 429 of their endpoint was over.

    A request that arrives within `under_way_s` of the 429 was sent before anybody could know of it.
    """
    refused_at: dict[str, float] = {}
    found = []
    for request in requests:
        since_s = request["at"] - refused_at.get(request["endpoint"], float("-inf"))
        if under_way_s < since_s < pause_s:
            found.append(f"{request['endpoint']} {since_s:.3f} s after its 429")
        if request["status"] == 429:
            refused_at[request["endpoint"]] = request["at"]
    return found


def most_in_any(window_s: float, moments: Sequence[float]) -> int:
    """The largest number of `moments` (seconds, ascending) within any half-open window of that length, however aligned."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def assert_complete(product: Product, within_s: float = 200.0) -> None:
    """The import ended as if nothing had happened: every customer in Klaviyo, once, and the summary adds up."""
    status = product.wait_finished(within_s)
    assert status["status"] == "completed", status
    assert (status["seen"], status["failed"]) == (CUSTOMERS, 0)
    assert status["seen"] == status["sent"] + status["skipped"]
    check = product.check()
    assert check.problems == []
    assert not check.missing
    assert check.merged == status["skipped"]
    assert set(check.changes) == {1}, "a customer that was sent again must change nothing"
