"""One import against the simulators with Klaviyo's real limits and realistic latency, measured from outside.

Prints how it was measured. The simulators share the machine with the product; only the product's processes are counted.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sandbox.bench import machine
from sandbox.bench.meter import SAMPLE_S, Meter
from sandbox.checker import check_customers
from sandbox.launch import HTTP, Sandbox, sandbox, serve
from shared.local.listening import free_port

READ_P50_MS, READ_P95_MS = 60, 180
WRITE_P50_MS, WRITE_P95_MS = 120, 400
JOB_SECONDS = 2.0
BULK_PER_MINUTE, BULK_ROWS, BULK_BYTES = 150, 10_000, 5_000_000
"""Klaviyo's limits of profile import jobs (klaviyo.md 1.4, 1.5)."""

PEAK_MB = 256
"""What all processes of the product together may use at most."""

LATENCY = {
    "read_p50_ms": READ_P50_MS,
    "read_p95_ms": READ_P95_MS,
    "write_p50_ms": WRITE_P50_MS,
    "write_p95_ms": WRITE_P95_MS,
    "seed": 7,
}


def run(count: int, workers: int, instant: Collection[str] = ()) -> tuple[dict[str, Any], str, list[str]]:
    """The figures of one import, the same in words, and what is not good enough; `instant` sides answer without latency."""
    source = ["--customers", str(count), "--malformed-emails", "0"]
    if "commercetools" not in instant:
        source += ["--latency-p50-ms", str(READ_P50_MS), "--latency-p95-ms", str(READ_P95_MS)]
    target = ["--job-seconds", "0" if "klaviyo" in instant else str(JOB_SECONDS)]
    with (
        tempfile.TemporaryDirectory(prefix="ct-klaviyo-bench-") as folder,
        sandbox(commercetools=source, klaviyo=target) as servers,
    ):
        if "klaviyo" not in instant:
            HTTP.post(f"{servers.klaviyo.url}/_sandbox/latency", json=LATENCY).raise_for_status()
        figures = _measure(servers, Path(folder) / "state.sqlite3", workers)
    return figures, report(figures, count, workers, instant), problems(figures)


def problems(figures: dict[str, Any]) -> list[str]:
    """What must not be, in words; empty when all is well."""
    found = []
    if not figures["complete"]:
        found.append("the import is not complete by the simulators' own records")
    if figures["peak_mb"] > PEAK_MB:
        found.append(f"peak memory {figures['peak_mb']} MB is over the bound of {PEAK_MB} MB")
    return found


def _measure(servers: Sandbox, state: Path, workers: int) -> dict[str, Any]:
    environment = servers.environment(state, free_port(), WORKERS=str(workers), LOG_LEVEL="WARNING")
    product = serve(environment)
    try:
        meter = Meter(product)
        started = time.monotonic()
        HTTP.post(f"{product.url}/sync/customers").raise_for_status()
        while True:
            status = HTTP.get(f"{product.url}/sync/customers/status").json()
            if status["finishedAt"]:
                break
            time.sleep(0.25)
        elapsed_s = time.monotonic() - started
        usage = meter.stop()
    finally:
        product.stop()
    summary = HTTP.get(f"{servers.klaviyo.url}/_sandbox/summary").json()
    reads = HTTP.get(f"{servers.commercetools.url}/_sandbox/requests").json()
    check = check_customers(servers.commercetools.url, servers.klaviyo.url)
    imports = summary["by_endpoint"]["POST /api/profile-bulk-import-jobs"]
    bodies = sum(imports.values())
    body_bytes = summary["body_bytes"]["POST /api/profile-bulk-import-jobs"]
    rows_per_body = min(BULK_ROWS, BULK_BYTES * status["sent"] // body_bytes)
    ceiling = rows_per_body * BULK_PER_MINUTE / 60
    return {
        "status": status["status"],
        "complete": not check.problems and len(check.missing) == status["failed"] and check.merged == status["skipped"],
        "seen": status["seen"],
        "sent": status["sent"],
        "skipped": status["skipped"],
        "failed": status["failed"],
        "elapsed_s": round(elapsed_s, 2),
        "items_per_s": round(status["seen"] / elapsed_s, 1),
        "klaviyo_requests": summary["by_endpoint"],
        "klaviyo_throttled": summary["throttled"],
        "commercetools_requests": reads,
        "bulk_bodies": bodies,
        "bytes_per_row": round(body_bytes / max(1, status["sent"])),
        "ceiling_items_per_s": round(ceiling),
        "share_of_ceiling": round(status["seen"] / elapsed_s / ceiling, 3),
        "cpu_s": round(usage.cpu_s, 2),
        "peak_mb": round(usage.peak_bytes / 1e6),
        "peak_mb_by_process": {name: round(value / 1e6) for name, value in sorted(usage.peaks.items())},
    }


def report(figures: dict[str, Any], count: int, workers: int, instant: Collection[str] = ()) -> str:
    """The figures and how they were measured, for people; `instant` names the sides that answered at once."""
    source = f"commercetools p50 {READ_P50_MS} ms, p95 {READ_P95_MS} ms"
    if "commercetools" in instant:
        source = "commercetools instant: no latency"
    target = f"Klaviyo's writes p50 {WRITE_P50_MS} ms, p95 {WRITE_P95_MS} ms, jobs {JOB_SECONDS} s"
    if "klaviyo" in instant:
        target = "Klaviyo instant: no latency, jobs 0 s"
    requests = Counter({name: sum(answers.values()) for name, answers in figures["klaviyo_requests"].items()})
    lines = [
        f"import of {count:,} customers: {figures['status']}, "
        + ("complete by the simulators' own records" if figures["complete"] else "NOT COMPLETE"),
        "  seen {seen:,} = sent {sent:,} + skipped {skipped:,} + failed {failed:,}".format(**figures),
        f"  time                 {figures['elapsed_s']:.1f} s",
        f"  rate                 {figures['items_per_s']:,.0f} items/s",
        f"  Klaviyo requests     {requests.total():,} "
        f"({requests.total() * 1000 / max(1, figures['seen']):.2f} per 1,000 items), "
        f"{figures['klaviyo_throttled']} answered 429",
    ]
    lines += [f"    {name:<44} {number:>8,}" for name, number in requests.most_common()]
    lines += [
        f"  share of the ceiling {figures['share_of_ceiling']:.1%} of {figures['ceiling_items_per_s']:,} items/s "
        f"({BULK_PER_MINUTE} bodies a minute of {figures['bytes_per_row']} bytes a row)",
        f"  CPU                  {figures['cpu_s']:.1f} s in all processes of the product",
        f"  peak memory          {figures['peak_mb']} MB in all of at most {PEAK_MB} MB, "
        + ", ".join(f"{name} {value} MB" for name, value in figures["peak_mb_by_process"].items()),
        f"how: one run; simulators on the same machine, their CPU not counted; {source}; {target}; "
        f"Klaviyo's documented rate windows enforced; WORKERS={workers}; memory (PSS) sampled every {SAMPLE_S} s;",
        f"     {machine.description()}",
    ]
    return "\n".join(lines)
