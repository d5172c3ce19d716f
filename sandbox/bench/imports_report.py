"""The figures of an import in words, and what of them is not good enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sandbox.bench import machine
from sandbox.bench.ceiling import BOUNDS, STEADY_FROM, STEADY_TO
from sandbox.bench.customers import JOB_SECONDS, READ_P50_MS, READ_P95_MS, WRITE_P50_MS, WRITE_P95_MS
from sandbox.bench.meter import SAMPLE_S, Usage
from sandbox.checker_ledger import THROTTLED_SHARE

if TYPE_CHECKING:
    from sandbox.bench.imports import KindFigures

PROCESS_MB = 256
"""What one process of the product may use at most."""

LEAST_SHARE = 0.8
"""Of the ceiling over the steady part, which orders and the catalog should reach at least."""

JUDGED_KINDS = frozenset({"orders", "products"})


def problems(figures: Sequence[KindFigures], *, judged: bool) -> list[str]:
    """What must not be, in words; empty when all is well. `judged`: the size is one whose share of the ceiling counts."""
    found: list[str] = []
    for one in figures:
        kind, status, check = one.link.kind, one.link.status, one.check
        if status["status"] != "completed":
            found.append(f"{kind}: the import ended {status['status']}")
        found += [f"{kind}: {problem}" for problem in (*check.differs_from(status), *check.problems, *one.limits.problems)]
        found += [
            f"{kind}: the process {name} used {peak / 1e6:.0f} MB of at most {PROCESS_MB} MB"
            for name, peak in one.usage.peaks.items()
            if peak > PROCESS_MB * 1e6
        ]
        share = one.share.steady
        if judged and kind in JUDGED_KINDS and share is not None and share < LEAST_SHARE:
            found.append(f"{kind}: {share:.0%} of the ceiling over the steady part is less than {LEAST_SHARE:.0%}")
    return found


def report(figures: Sequence[KindFigures], used: Usage, size: str, workers: int, instant: Collection[str] = ()) -> str:
    """The figures and how they were measured, for people; `instant` names the sides that answered at once."""
    lines = [line for one in figures for line in _kind(one)]
    if len(figures) > 1:
        seconds = figures[-1].link.finished - figures[0].link.started
        lines.append(
            f"all of it: {seconds:.1f} s, CPU {used.cpu_s:.1f} s, "
            f"peak memory {used.peak_bytes / 1e6:.0f} MB in all processes together"
        )
    source = f"commercetools p50 {READ_P50_MS} ms, p95 {READ_P95_MS} ms"
    target = (
        f"Klaviyo's reads p50 {READ_P50_MS} ms, p95 {READ_P95_MS} ms, writes p50 {WRITE_P50_MS} ms, p95 {WRITE_P95_MS} ms, "
        f"jobs {JOB_SECONDS} s"
    )
    if "commercetools" in instant:
        source = "commercetools instant: no latency"
    if "klaviyo" in instant:
        target = "Klaviyo instant: no latency, jobs 0 s"
    ceilings = ", ".join(f"{path.steady} of {path.rows:,} {path.rows_are}" for path in BOUNDS.values())
    lines += [
        f"how: one run of size {size}, an empty Klaviyo; simulators on the same machine, their CPU apart; WORKERS={workers};",
        f"     {source};",
        f"     {target};",
        "     Klaviyo's documented rate windows and its 500 catalog jobs in progress enforced;",
        f"     memory (PSS) sampled every {SAMPLE_S} s; complete: nothing missing, wrong or twice by their records.",
        "     The ceiling of a kind is a minute's quota of the bulk endpoint that bounds it, in full bodies:",
        f"     {ceilings} (fewer where 5 MB hold fewer).",
        "     Its share: rows sent a second against that, over the whole run, and over its steady part, which is from the moment",
        f"     when {STEADY_FROM:.0%} of the rows had been sent to that of {STEADY_TO:.0%}. A quota may go out within seconds,",
        "     so that a run of less than some minutes can be over 100 %. The theoretical minimum is the moment at which the last",
        "     full body can be sent at the earliest, from the begin of a minute (both windows, without latency and jobs).",
        f"     {machine.description()}",
    ]
    return "\n".join(lines)


def _kind(one: KindFigures) -> list[str]:
    status, share, path, seen = one.link.status, one.share, BOUNDS[one.link.kind], max(1, one.link.status["seen"])
    complete = "NOT COMPLETE" if one.check.problems else "complete"
    requests, reads = one.limits.by_endpoint, one.link.reads
    over = (
        "one body has no rate" if share.steady is None else f"{share.steady:.0%} over the steady part of {share.steady_s:.0f} s"
    )
    peaks = ", ".join(f"{name} {peak / 1e6:.0f} MB" for name, peak in sorted(one.usage.peaks.items()))
    others = ", ".join(f"{name} {used:.1f} s" for name, used in one.simulators_cpu_s.items())
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(one.check.stored.items()))
    return [
        f"{one.link.kind}: {status['status']}, {complete}; in Klaviyo: {counts}",
        "  seen {seen:,} = sent {sent:,} + skipped {skipped:,} + failed {failed:,}".format(**status),
        f"  time                 {one.link.elapsed_s:.1f} s; theoretical minimum {share.minimum_s} s "
        f"({-(-share.rows // share.rows_per_body):,} full bodies); {one.items_per_s:,.0f} items/s",
        f"  share of the ceiling {share.whole:.0%} over the whole run, {over} "
        f"(ceiling {share.ceiling:,.0f} {path.rows_are}/s in bodies of {share.rows_per_body:,})",
        f"  requests             {requests.total():,} to Klaviyo, {reads.total():,} to commercetools: "
        f"{requests.total() * 1000 / seen:.1f} and {reads.total() * 1000 / seen:.1f} per 1,000 items",
        f"  429                  {one.limits.throttled} ({one.limits.throttled_share:.2%} of at most {THROTTLED_SHARE:.0%}); "
        f"at most {one.limits.most_jobs} catalog jobs in progress",
        *(f"    {name:<52} {number:>8,}" for name, number in (*requests.most_common(), *reads.most_common())),
        f"  CPU                  {one.usage.cpu_s:.1f} s in all processes of the product; the simulators' {others}",
        f"  peak memory          {one.usage.peak_bytes / 1e6:.0f} MB in all; of one process at most {PROCESS_MB} MB: {peaks}",
    ]
