"""A chain as people see it: the sums over its links, and each link in short (http-api.md "Status of a run"). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice, zip_longest
from typing import Any

from shared.bulk import run as states
from shared.bulk.progress import SHOWN_PROBLEMS, options_of
from shared.bulk.records import Kind, Run
from shared.bulk.results import EXAMPLES

PENDING = "pending"
"""The status of a link that has not begun."""

_COUNTS = ("seen", "sent", "skipped", "failed")
_OF_A_LINK = (
    "runId",
    "kind",
    "status",
    "startedAt",
    "updatedAt",
    "finishedAt",
    "total",
    *_COUNTS,
    "ratePerSecond",
    "etaSeconds",
    "progress",
    "haltReason",
)


def chain_status(chain: Run, links: Mapping[Kind, dict[str, Any] | None], now: datetime) -> dict[str, Any]:
    """The status document of a chain; `links` has those of its links in their order, None for one that has not begun.

    `progress` is the mean over the links, each with the same weight: what later ones will have to do is not known, and a
    weight found out late would let it fall back. `etaSeconds` is known once the last link runs.
    """
    begun = [status for status in links.values() if status]
    totals = [status["total"] if status else None for status in links.values()]
    last = list(links.values())[-1]
    ended = chain.status not in states.ACTIVE
    return {
        "runId": chain.run_id,
        "kind": chain.kind.value,
        "status": states.shown_status(chain, now),
        "resumable": states.can_resume(chain, now),
        "startedAt": chain.started_at.isoformat(),
        "updatedAt": max([chain.updated_at.isoformat(), *(status["updatedAt"] for status in begun)]),
        "finishedAt": chain.finished_at.isoformat() if chain.finished_at else None,
        "options": options_of(chain.options),
        "total": None if None in totals else sum(totals),
        **{name: sum(status[name] for status in begun) for name in _COUNTS},
        "batches": {name: sum(status["batches"][name] for status in begun) for name in ("planned", "done", "failed")},
        "ratePerSecond": round(_rate(chain, begun, ended=ended), 1),
        "etaSeconds": None if ended or last is None else last["etaSeconds"],
        "progress": round(sum(status["progress"] for status in begun) / len(links), 4),
        **{name: _added([status[name] for status in begun]) for name in ("skippedReasons", "failedReasons", "adjustments")},
        "problems": _in_turn((status["problems"] for status in begun), SHOWN_PROBLEMS),
        "examples": _in_turn((status["examples"] for status in begun), EXAMPLES),
        "haltReason": chain.halt_reason,
        "cursor": None,
        "children": [_link(kind, status) for kind, status in links.items()],
    }


def _link(kind: Kind, status: dict[str, Any] | None) -> dict[str, Any]:
    """A link in short; one that has not begun has no id yet."""
    if status is not None:
        return {name: status[name] for name in _OF_A_LINK}
    nothing = dict.fromkeys((*_COUNTS, "ratePerSecond", "progress"), 0)
    return dict.fromkeys(_OF_A_LINK) | nothing | {"kind": kind.value, "status": PENDING}


def _rate(chain: Run, begun: list[dict[str, Any]], *, ended: bool) -> float:
    """Items a second: of the link that runs, afterwards over the whole of the chain."""
    if not ended:
        return sum(float(status["ratePerSecond"]) for status in begun if status["finishedAt"] is None)
    seconds = ((chain.finished_at or chain.updated_at) - chain.started_at).total_seconds()
    return float(sum(status["seen"] for status in begun)) / seconds if seconds > 0 else 0.0


def _added(counts: list[dict[str, int]]) -> dict[str, int]:
    added = Counter[str]()
    for one in counts:
        added.update(one)
    return dict(added)


def _in_turn(shown: Iterable[list[dict[str, Any]]], most: int) -> list[dict[str, Any]]:
    """The first of each link, then the second of each, and so on: `most` in all, so that no link's are crowded out."""
    return list(islice((one for round_ in zip_longest(*shown) for one in round_ if one is not None), most))
