"""The figures of the realtime benchmark in words, and what of them is not good enough. Pure but for the machine's description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.bench import machine
from sandbox.bench.mix import CATEGORIES, CUSTOMERS, LINES, ORDERS, PARTS, PRODUCTS, VARIANTS

ADDED_P95_MS = 50.0
"""What realtime may add to the time of its API calls at ten messages a second, p95."""

JUDGED = "10"

_CATALOG = f"{PRODUCTS} products of {VARIANTS} variants in {CATEGORIES} categories"
_HOW = f"""\
how: one run of {{seconds:g}} s at each rate; simulators and load on the same machine, their CPU not counted;
     constant latency, {{read}} ms for each GET and {{write}} ms for each write, on both sides;
     the load is open-loop: each message leaves at its moment whatever the answers take, and its latency counts from then;
     {CUSTOMERS} customers, {_CATALOG}, {ORDERS} orders of {LINES} lines, again and again;
     warmed up: Klaviyo has the catalog, the process has in its cache what orders refer to; JSON logs from INFO up, to a file;
     added: the latency less what the API calls that wait for each other take; how many these are of a kind was seen with
     messages that were alone, by how much longer they took with the latency of only reads, and of only writes. So the
     simulators' own work, HTTP on both sides and all waiting for threads and processors count as added;"""


def problems(figures: Mapping[str, Any]) -> list[str]:
    """What must not be, in words; empty when all is well."""
    found = []
    for rate, seen in figures["rates"].items():
        if seen["not_acknowledged"]:
            found.append(f"at {rate}/s {seen['not_acknowledged']} messages would be delivered again")
        if seen["not_done"]:
            found.append(f"at {rate}/s {seen['not_done']} messages did not come to a request")
    added = figures["rates"][JUDGED]["added_ms"]["p95"]
    if added > ADDED_P95_MS:
        found.append(f"{added:.1f} ms added to the API calls at {JUDGED}/s (p95) is over the bound of {ADDED_P95_MS:.0f} ms")
    return found


def report(figures: Mapping[str, Any]) -> str:
    """All of it, for people."""
    rates = figures["rates"]
    lines = [f"realtime, one instance of {figures['threads']} threads: latency from the scheduled moment to the answer, ms"]
    lines += [
        f"  {'rate':>6} {'messages':>9} {'p50':>7} {'p95':>7} {'p99':>7} {'most':>7}   added: {'p50':>6} {'p95':>6} {'p99':>6}"
    ]
    lines += [_row(rate, seen) for rate, seen in rates.items()]
    lines += [
        f"  added at {JUDGED}/s      p95 {rates[JUDGED]['added_ms']['p95']:.1f} ms of at most {ADDED_P95_MS:.0f} ms",
        *_highest(figures),
        f"  requests a message  {rates[JUDGED]['commercetools_per_message']} to commercetools, "
        f"{rates[JUDGED]['klaviyo_per_message']} to Klaviyo",
        "  CPU                 "
        + ", ".join(f"{seen['cpu_s_per_1000']:.1f} s at {rate}/s" for rate, seen in rates.items())
        + " for 1,000 messages",
        "  memory at the end   "
        + ", ".join(f"{name} RSS {of['rss']:.0f} MB, PSS {of['pss']:.0f} MB" for name, of in figures["memory_mb"].items()),
        f"  start               {figures['start_s']:.2f} s from the process to its first answer (median)",
        *_kinds(figures),
        _HOW.format(seconds=figures["seconds"], **figures["latency_ms"]),
        "     Klaviyo's quotas were lifted while measuring; "
        f"sent at most {max(seen['sent_late_ms']['p99'] for seen in rates.values()):.1f} ms late (p99);",
        f"     {machine.description('functions-framework', 'gunicorn', 'flask', 'httpx', 'msgspec')}",
    ]
    return "\n".join(lines)


def _row(rate: str, seen: Mapping[str, Any]) -> str:
    of, added = seen["latency_ms"], seen["added_ms"]
    shown = f"  {rate + '/s':>6} {seen['messages']:>9,} {of['p50']:>7.0f} {of['p95']:>7.0f} {of['p99']:>7.0f} {of['most']:>7.0f}"
    shown += f"          {added['p50']:>6.1f} {added['p95']:>6.1f} {added['p99']:>6.1f}"
    return shown + (f"   {seen['not_acknowledged']} NOT ACKNOWLEDGED" if seen["not_acknowledged"] else "")


def _highest(figures: Mapping[str, Any]) -> list[str]:
    highest, quota = figures["highest"], figures["quota"]
    threads, busy_ms = figures["threads"], figures["rates"][JUDGED]["in_process_ms"]
    most = 1000 * threads / busy_ms if busy_ms else 0.0
    lines = [
        f"  highest rate held   {highest['rate']:g}/s without quotas; "
        f"{threads} threads with {busy_ms:.0f} ms a message let {most:.0f}/s through at most"
    ]
    for step in highest["steps"]:
        of = step["latency_ms"]
        lines.append(
            f"    {step['rate']:>6g}/s p50 {of['p50']:>6.0f}, p95 {of['p95']:>6.0f}; "
            f"cores busy: product {step['cpu_share']:.2f}, simulators {step['simulators_cpu_share']:.2f}; "
            + (step["broken"] or "held")
        )
    lines.append(
        f"  Klaviyo's quotas    {quota['steady']:g}/s of this mix in the long run ({quota['steady_by']}), "
        f"{quota['burst']:g}/s for a second ({quota['burst_by']})"
    )
    bound = "the process" if highest["rate"] < quota["steady"] else "Klaviyo's quota"
    lines.append(f"  so the bound is     {bound}")
    return lines


def _kinds(figures: Mapping[str, Any]) -> list[str]:
    total = sum(PARTS.values())
    lines = [f"  {'kind':<22} {'share':>5} {'reads':>6} {'writes':>6} {'API ms':>7}   without any latency, alone"]
    for kind, chain in figures["chains"].items():
        lines.append(
            f"    {kind:<20} {PARTS[kind] / total:>5.0%} {chain['reads']:>6} {chain['writes']:>6} {chain['api_ms']:>7}   "
            f"{chain['own_ms']:.1f} ms"
        )
    return lines
