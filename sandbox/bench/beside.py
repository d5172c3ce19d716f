"""Realtime at ten messages a second, alone and beside an import of everything: what the import takes from it.

Both run as `ct-klaviyo serve` runs them, with one key, under Klaviyo's real limits: what the import leaves of the quotas is what
realtime has.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

from sandbox.bench import machine, mix
from sandbox.bench.imports import SIZES, Link, environment, import_all, set_latency, simulators
from sandbox.bench.load import Arrival, Shot, fire
from sandbox.bench.mix import Mix
from sandbox.bench.realtime import JUDGED_RATE, spread_ms
from sandbox.launch import HTTP, Launched, Sandbox, sandbox, serve
from sandbox.notifications.project import ProjectControl, Resource

SLOWER = 2.0
"""How many times the p95 alone the p95 beside an import may be."""

_RESOURCES = 400
_ROUND_S = 10.0
_WORKERS = 4


class _Sample(ProjectControl):
    """The first resources of each kind of a project that is large."""

    def all(self, collection: str) -> list[Resource]:
        """As many as the mix of notifications needs, whole."""
        return list(self.page(collection, limit=str(_RESOURCES), sort="id asc", withTotal="false"))


def run(size: str, seconds: float) -> tuple[dict[str, Any], str, list[str]]:
    """The figures, the same in words, and what is not good enough; realtime is alone for `seconds`."""
    with (
        tempfile.TemporaryDirectory(prefix="ct-klaviyo-bench-") as folder,
        sandbox(**simulators(SIZES[size])) as servers,
    ):
        project = _Sample(servers.commercetools.url)
        supply = Mix(project)
        project.close()
        given = environment(servers, Path(folder), _WORKERS)
        product = serve(given)
        url = f"http://127.0.0.1:{given['PUB_SUB_PORT']}"
        try:
            _warm_up(url, supply)
            set_latency(servers)
            alone = _round(url, supply, seconds)
            links, beside = _while_importing(product, servers, url, supply)
            throttled = HTTP.get(f"{servers.klaviyo.url}/_sandbox/summary").json()["throttled"]
        finally:
            product.stop()
    figures = {
        "size": size,
        "rate": JUDGED_RATE,
        "alone": _figures(alone),
        "beside": _figures(beside),
        "beside_by_kind": {link.kind: _figures(shots) for link in links if (shots := _during(beside, link))},
        "throttled": throttled,
        "import_s": {link.kind: round(link.elapsed_s, 1) for link in links},
        "import_status": {link.kind: link.status["status"] for link in links},
    }
    return figures, report(figures), problems(figures)


def problems(figures: Mapping[str, Any]) -> list[str]:
    """What must not be, in words; empty when all is well."""
    found = [
        f"{figures[name]['not_acknowledged']} messages {name} would be delivered again"
        for name in ("alone", "beside")
        if figures[name]["not_acknowledged"]
    ]
    alone, beside = (figures[name]["latency_ms"]["p95"] for name in ("alone", "beside"))
    if beside > SLOWER * alone:
        found.append(f"p95 is {beside:.0f} ms beside an import, more than {SLOWER:g} times the {alone:.0f} ms alone")
    found += [
        f"the import of {kind} ended {status}" for kind, status in figures["import_status"].items() if status != "completed"
    ]
    return found


def report(figures: Mapping[str, Any]) -> str:
    """All of it, for people."""
    size = figures["size"]
    rows = {"alone": figures["alone"], f"beside an import of {size}": figures["beside"]}
    rows |= {f"  while {kind} are imported": seen for kind, seen in figures["beside_by_kind"].items()}
    lines = [f"realtime at {figures['rate']}/s: latency from the scheduled moment to the answer, ms"]
    lines.append(f"  {'':<32} {'messages':>9} {'p50':>7} {'p95':>7} {'p99':>7} {'most':>7}")
    for name, seen in rows.items():
        of = seen["latency_ms"]
        line = f"  {name:<32} {seen['messages']:>9,} {of['p50']:>7.0f} {of['p95']:>7.0f} {of['p99']:>7.0f} {of['most']:>7.0f}"
        lines.append(line + (f"   {seen['not_acknowledged']} NOT ACKNOWLEDGED" if seen["not_acknowledged"] else ""))
    lines.append(f"  429                  {figures['throttled']} of all requests to Klaviyo, of realtime and the import together")
    lines.append("  the import took      " + ", ".join(f"{kind} {took} s" for kind, took in figures["import_s"].items()))
    lines.append(
        "how: one `serve` with realtime and the import, one key; Klaviyo's documented rate windows enforced; latency\n"
        "     spread as in the benchmarks of imports; load, product and both simulators on the same machine, so that\n"
        f"     waiting for a processor counts, too; open-loop load; {machine.description()}"
    )
    return "\n".join(lines)


def _warm_up(url: str, supply: Mix) -> None:
    """The products of the mix are in Klaviyo, and each kind has been seen."""
    for kind, rate in ((mix.PRODUCT, 5.0), (mix.ORDER, 10.0)):
        requests = supply.every(kind)[:60]
        fire(url, [Arrival(number / rate, kind, request) for number, request in enumerate(requests)], rate)
    fire(url, supply.arrivals(JUDGED_RATE, 5.0), JUDGED_RATE)


def _round(url: str, supply: Mix, seconds: float) -> list[tuple[float, Shot]]:
    """Every message of so many seconds, with its moment in seconds since 1970."""
    begun = time.time()
    return [(begun + shot.at_s, shot) for shot in fire(url, supply.arrivals(JUDGED_RATE, seconds), JUDGED_RATE)]


def _while_importing(product: Launched, servers: Sandbox, url: str, supply: Mix) -> tuple[list[Link], list[tuple[float, Shot]]]:
    links: list[Link] = []
    importing = Thread(target=lambda: links.extend(import_all(product, servers, "all")), daemon=True)
    importing.start()
    shots: list[tuple[float, Shot]] = []
    while importing.is_alive():
        shots += _round(url, supply, _ROUND_S)
    return links, shots


def _during(shots: Sequence[tuple[float, Shot]], link: Link) -> list[tuple[float, Shot]]:
    return [(at, shot) for at, shot in shots if link.started <= at < link.finished]


def _figures(shots: Sequence[tuple[float, Shot]]) -> dict[str, Any]:
    return {
        "messages": len(shots),
        "not_acknowledged": sum(not shot.acknowledged for _, shot in shots),
        "latency_ms": spread_ms([shot.latency_s for _, shot in shots]),
    }
