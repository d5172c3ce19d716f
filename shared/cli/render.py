"""Runs as text. Pure: a status as the import API gives it (http-api.md) in, lines out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Status = Mapping[str, Any]

PENDING = "pending"
FINISHED = frozenset({"completed", "completed_with_errors", "stopped", "halted", "abandoned"})
SHOWN_PROBLEMS = 10


def number(value: float | None) -> str:
    """`12,345`."""
    return "?" if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """`0:07`, `12:03` or `1:02:03`."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(status: Status) -> str:
    """`45.2 %`, never 100 % before everything is done."""
    progress = status.get("progress")
    if progress is None:
        return "? %"
    if progress >= 1:
        return "100 %"
    return f"{min(progress * 100, 99.9):.1f} %"


def seen_of(status: Status) -> str:
    """`4,520 of 10,000`, or only what was seen while the total is not known."""
    total = status.get("total")
    return f"{number(status.get('seen', 0))} of {number(total)}" if total is not None else f"{number(status.get('seen', 0))} seen"


def pace(status: Status) -> str:
    """Rate, time left, and what became of the items so far."""
    parts = []
    if status.get("ratePerSecond") is not None:
        parts.append(f"{number(status['ratePerSecond'])}/s")
    if status.get("etaSeconds") is not None:
        parts.append(f"ETA {duration(status['etaSeconds'])}")
    parts += [f"{name} {number(status.get(name, 0))}" for name in ("sent", "skipped", "failed")]
    return "  ".join(parts)


def sum_of(status: Status) -> str:
    """`seen 300 = sent 298 + skipped 1 + failed 1`."""
    counts = [f"{name} {number(status.get(name, 0))}" for name in ("sent", "skipped", "failed")]
    return f"seen {number(status.get('seen', 0))} = {' + '.join(counts)}"


def words(status: Status) -> str:
    """The run's state in words."""
    return str(status.get("status", "?")).replace("_", " ")


def line(status: Status) -> str:
    """A run on one line, for a log or a terminal that is none."""
    return f"{status.get('kind', '?')}  {words(status)}  {percent(status)}  {seen_of(status)}  {pace(status)}"


def parts(status: Status) -> list[Status]:
    """A run itself, or the links of a chain."""
    return list(status.get("children") or [status])


def elapsed_s(status: Status) -> float | None:
    """Seconds from the run's start to its end, or to its last sign of life."""
    end = status.get("finishedAt") or status.get("updatedAt")
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(status["startedAt"])).total_seconds() if end else None
    except (KeyError, TypeError, ValueError):
        return None


def next_step(status: Status) -> str | None:
    """What a person can do now."""
    run_id = status.get("runId")
    if status.get("resumable"):
        return f"resume with: ct-klaviyo resume {run_id}"
    if status.get("status") == "completed_with_errors":
        if links := [str(link.get("runId")) for link in status.get("children") or [] if link.get("failed")]:
            return f"try the failed ones again with: {', '.join(f'ct-klaviyo retry {link}' for link in links)}"
        return f"try the failed ones again with: ct-klaviyo retry {run_id}"
    if status.get("status") == "abandoned":
        return "a newer run has taken its place"
    return None


def summary(status: Status) -> list[str]:
    """A run in detail: every item accounted for, why some were skipped or failed, and what to do next."""
    dry = "  (dry run: nothing was sent)" if (status.get("options") or {}).get("dryRun") else ""
    took = elapsed_s(status)
    lines = [
        f"{status.get('kind', '?')}: {words(status)}{f' after {duration(took)}' if took is not None else ''}{dry}",
        f"  run      {status.get('runId', '?')}",
    ]
    if halted_by := status.get("haltReason"):
        lines.append(f"  halted   {halted_by}")
    if status.get("status") not in FINISHED:
        lines.append(f"  progress {percent(status)}, {pace(status)}")
    lines.append(f"  {sum_of(status)}")
    lines += [
        f"    {link.get('kind', '?')}: {words(link)}{'' if link.get('status') == PENDING else f', {sum_of(link)}'}"
        for link in status.get("children") or []
    ]
    for title, reasons in (
        ("skipped", status.get("skippedReasons")),
        ("failed", status.get("failedReasons")),
        ("adjusted (sent, with something left out)", status.get("adjustments")),
    ):
        lines += _reasons(title, reasons or {})
    lines += _problems(status)
    lines += _examples(status.get("examples") or [])
    if step := next_step(status):
        lines.append(f"  {step}")
    return lines


def table(statuses: Sequence[Status]) -> list[str]:
    """Runs as rows, newest first as given."""
    head = ("run", "kind", "status", "started", "seen", "sent", "skipped", "failed")
    rows = [
        (
            str(status.get("runId", "?")),
            str(status.get("kind", "?")),
            words(status),
            str(status.get("startedAt", "?"))[:19],
            *(number(status.get(name, 0)) for name in head[4:]),
        )
        for status in statuses
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return ["  ".join(_cell(text, widths[i], i >= 4) for i, text in enumerate(row)).rstrip() for row in (head, *rows)]


def refusal(status: int, body: Mapping[str, Any]) -> list[str]:
    """An error answer of the import API, and what to do about it."""
    message = str(body.get("message") or body.get("error") or f"the import API answered {status}")
    if status == 423:
        return _locked(message, body)
    lines = [message]
    lines += [f"  {problem.get('field', '?')}: {problem.get('message', '')}" for problem in body.get("problems") or []]
    if status in {401, 403}:
        lines.append("  BULK_IMPORT_API_KEY must be the key that the import API was started with")
    return lines


def _locked(message: str, body: Mapping[str, Any]) -> list[str]:
    """The message itself says what to do; here is who is in the way."""
    run_id = body.get("runId")
    since = f" since {body['since']}" if body.get("since") else ""
    if run_id:
        return [message, f"  held by run {run_id}{since}; watch it with: ct-klaviyo watch {run_id}"]
    return [message, f"  held by somebody who left no run id{since}"]


def _cell(text: str, width: int, is_count: bool) -> str:
    return text.rjust(width) if is_count else text.ljust(width)


def _reasons(title: str, reasons: Mapping[str, int]) -> list[str]:
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return [f"  {title}:" for _ in ordered[:1]] + [f"    {number(count):>9}  {reason}" for reason, count in ordered]


def _problems(status: Status) -> list[str]:
    problems = status.get("problems") or []
    if not problems:
        return []
    lines = ["  first problems:"]
    for problem in problems[:SHOWN_PROBLEMS]:
        pointer = f"  {problem['pointer']}" if problem.get("pointer") else ""
        lines.append(f"    {problem.get('id', '?')}  {problem.get('reason', '?')}{pointer}")
    more = max(status.get("failed", 0), len(problems)) - len(problems[:SHOWN_PROBLEMS])
    return [*lines, f"    and {number(more)} more"] if more > 0 else lines


def _examples(examples: Sequence[Any]) -> list[str]:
    if not examples:
        return []
    return [
        "  some of what would be sent (in short, personal data masked):",
        *(f"    {json.dumps(example, ensure_ascii=False)}" for example in examples),
    ]
