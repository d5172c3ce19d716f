"""An import of one kind, or of all, against the simulators with Klaviyo's real limits and realistic latency, from outside.

What the product says of itself is only compared: figures and verdicts come from the simulators' own records.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.bench.ceiling import BOUNDS, Share, share_of
from sandbox.bench.customers import JOB_SECONDS, LATENCY, READ_P50_MS, READ_P95_MS
from sandbox.bench.imports_report import problems, report
from sandbox.bench.meter import Meter, Usage
from sandbox.checker_imports import ImportCheck, check_import
from sandbox.checker_ledger import Account, LedgerCheck, check_limits, read_ledger
from sandbox.launch import HTTP, Launched, Sandbox, sandbox, serve
from shared.local.listening import free_port

ORDER = ("categories", "products", "customers", "orders")
"""What an import of all goes through."""

BEFORE: Mapping[str, tuple[str, ...]] = {"products": ("categories",)}
"""What has to be there before a kind, and is imported without being measured."""

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Size:
    """How large the simulated project is."""

    customers: int
    orders: int
    lines: int
    products: int
    variants: int
    categories: int

    def arguments(self) -> list[str]:
        """Arguments of the simulated commercetools."""
        numbers = {
            "customers": self.customers,
            "orders": self.orders,
            "lines": self.lines,
            "products": self.products,
            "variants": self.variants,
            "categories": self.categories,
            "malformed-emails": 0,
        }
        return [word for name, number in numbers.items() for word in (f"--{name}", str(number))]


SIZES: Mapping[str, Size] = {
    "S": Size(1_000, 1_000, 3, 200, 5, 20),
    "M": Size(100_000, 50_000, 3, 10_000, 5, 500),
}


@dataclass(frozen=True, slots=True)
class Link:
    """One kind's import as it was seen from outside: its status at the end, and its moments in seconds since 1970."""

    kind: str
    started: float
    finished: float
    status: Mapping[str, Any]
    reads: Counter[str]

    @property
    def elapsed_s(self) -> float:
        """From the start to the end that the status shows."""
        return self.finished - self.started


@dataclass(frozen=True, slots=True)
class KindFigures:
    """One kind's figures; `reads` are requests to commercetools, `sends` those to Klaviyo."""

    link: Link
    check: ImportCheck
    limits: LedgerCheck
    share: Share
    usage: Usage
    simulators_cpu_s: Mapping[str, float]

    @property
    def items_per_s(self) -> float:
        """Items seen a second."""
        return float(self.link.status["seen"]) / self.link.elapsed_s


def run(kind: str, size: str, workers: int, instant: Collection[str] = ()) -> tuple[dict[str, Any], str, list[str]]:
    """The figures of an import of `kind` (or `all`) in a project of `size`, in words, and what is not good enough."""
    with (
        tempfile.TemporaryDirectory(prefix="ct-klaviyo-bench-") as folder,
        sandbox(**simulators(SIZES[size], instant)) as servers,
    ):
        set_latency(servers, instant)
        product = serve(environment(servers, Path(folder), workers))
        meters = {"product": Meter(product)}
        meters |= {server.name: Meter(server) for server in (servers.commercetools, servers.klaviyo)}
        try:
            for earlier in BEFORE.get(kind, ()):
                import_all(product, servers, earlier)
            links = import_all(product, servers, kind)
        finally:
            product.stop()
            for meter in meters.values():
                meter.stop()
        account = read_ledger(servers.klaviyo.url)
        figures = [_figures(link, account, servers, meters) for link in links]
    used = meters["product"].between(links[0].started, links[-1].finished)
    found = problems(figures, judged=size == "M" and not instant)
    return _as_json(figures, size), report(figures, used, size, workers, instant), found


def simulators(size: Size, instant: Collection[str] = ()) -> dict[str, Sequence[str]]:
    """The arguments of both simulators for `launch.sandbox`."""
    source = [*size.arguments(), "--prepared", "orders", "payments"]
    if "commercetools" not in instant:
        source += ["--latency-p50-ms", str(READ_P50_MS), "--latency-p95-ms", str(READ_P95_MS)]
    target = ["--job-seconds", "0" if "klaviyo" in instant else str(JOB_SECONDS)]
    return {"commercetools": source, "klaviyo": [*target, "--settings", '{"keep_event_properties": false}']}


def set_latency(servers: Sandbox, instant: Collection[str] = ()) -> None:
    """Klaviyo answers as late as a real host, unless it is one of the `instant` sides."""
    if "klaviyo" not in instant:
        HTTP.post(f"{servers.klaviyo.url}/_sandbox/latency", json=LATENCY).raise_for_status()


def environment(servers: Sandbox, folder: Path, workers: int) -> dict[str, str]:
    """The product's environment."""
    return servers.environment(folder / "state.sqlite3", free_port(), WORKERS=str(workers), LOG_LEVEL="WARNING")


def import_all(product: Launched, servers: Sandbox, kind: str) -> list[Link]:
    """Start an import, wait until it has ended, and tell of each kind that was in it, in their order."""
    kinds = ORDER if kind == "all" else (kind,)
    HTTP.post(f"{product.url}/sync/{kind}").raise_for_status()
    started, reads, links = time.time(), _reads(servers), list[Link]()
    while len(links) < len(kinds):
        time.sleep(_LOOK_S)
        status = HTTP.get(f"{product.url}/sync/status").json()["kinds"][kinds[len(links)]]
        if status and status["finishedAt"]:
            before, reads = reads, _reads(servers)
            links.append(Link(status["kind"], started, time.time(), status, reads - before))
            started = time.time()
            if status["status"] not in {"completed", "completed_with_errors"}:
                break
    return links


def _reads(servers: Sandbox) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in HTTP.get(f"{servers.commercetools.url}/_sandbox/requests").json()["requests"]:
        found[f"{row['method']} {row['endpoint']}"] += row["count"]
    return found


def _figures(link: Link, account: Account, servers: Sandbox, meters: Mapping[str, Meter]) -> KindFigures:
    entries = [entry for entry in account.entries if link.started <= entry.at <= link.finished]
    own = Account(entries, account.effects, account.job_base_s, account.job_s_per_row)
    usages = {name: meter.between(link.started, link.finished) for name, meter in meters.items()}
    check = check_import(link.kind, servers.commercetools.url, servers.klaviyo.url)
    return KindFigures(
        link=link,
        check=replace(check, problems=(*check.problems, *check.redone(account))),
        limits=check_limits(own),
        share=share_of(BOUNDS[link.kind], entries, link.elapsed_s),
        usage=usages.pop("product"),
        simulators_cpu_s={name: usage.cpu_s for name, usage in usages.items()},
    )


def _as_json(figures: Sequence[KindFigures], size: str) -> dict[str, Any]:
    return {
        "size": size,
        "kinds": {
            one.link.kind: {
                "status": one.link.status["status"],
                **{name: one.link.status[name] for name in ("seen", "sent", "skipped", "failed")},
                "stored": dict(one.check.stored),
                "elapsed_s": round(one.link.elapsed_s, 2),
                "items_per_s": round(one.items_per_s, 1),
                "klaviyo_requests": dict(one.limits.by_endpoint),
                "klaviyo_throttled_share": round(one.limits.throttled_share, 4),
                "commercetools_requests": dict(one.link.reads),
                "most_jobs_in_progress": one.limits.most_jobs,
                "share_whole": round(one.share.whole, 3),
                "share_steady": None if one.share.steady is None else round(one.share.steady, 3),
                "minimum_s": one.share.minimum_s,
                "cpu_s": round(one.usage.cpu_s, 2),
                "peak_mb": round(one.usage.peak_bytes / 1e6),
                "peak_mb_by_process": {name: round(peak / 1e6) for name, peak in sorted(one.usage.peaks.items())},
                "simulators_cpu_s": {name: round(used, 2) for name, used in one.simulators_cpu_s.items()},
                "problems": list(one.check.problems),
            }
            for one in figures
        },
    }
