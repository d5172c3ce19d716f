"""The notifications as Markdown; run as a program, prints what docs/realtime.md must contain."""

from __future__ import annotations

import json
import sys

from shared.realtime.registry import ROUTES, subscriptions
from shared.settings import SyncDocument

HEAD = ["| name | resource | notifications | what it does |", "|---|---|---|---|"]


def notifications_table() -> str:
    """A row for each route, with the notifications that it handles by the default document."""
    document = SyncDocument()
    rows = []
    for route in ROUTES:
        handled = ", ".join(f"`{name}`" for name in route.types(document))
        rows.append(f"| `{route.name}` | {route.resource_type} | {handled} | {route.summary} |")
    return "\n".join([*HEAD, *rows])


def subscription_draft() -> str:
    """What a subscription asks for, by the default document, as commercetools takes it."""
    wanted = subscriptions(SyncDocument())
    messages = [{"resourceTypeId": one.resource_type, "types": list(one.messages)} for one in wanted if one.messages]
    changes = [{"resourceTypeId": one.resource_type} for one in wanted if one.changes]

    def lines(entries: list[dict[str, object]]) -> str:
        return ",\n".join(f"    {json.dumps(entry)}" for entry in entries)

    return f'  "messages": [\n{lines([*messages])}\n  ],\n  "changes": [\n{lines([*changes])}\n  ]'


if __name__ == "__main__":
    sys.stdout.write(f"{notifications_table()}\n\n{subscription_draft()}\n")
