"""What was asked of the simulator: counts by kind of path and status, and how many resources were served."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

_KEYED = frozenset({"custom-objects"})
_BY_KEY = {"key": "/key={key}", "order-number": "/order-number={orderNumber}"}


def endpoint_of(scope: Scope) -> str:
    """Name a request's kind of path: `customers`, `customers/{id}`, `graphql`, `oauth/token`..."""
    path: str = scope["path"]
    parts = [part for part in path.split("/") if part]
    if parts == ["oauth", "token"]:
        return "oauth/token"
    if len(parts) < 2:
        return "/".join(parts)
    name, rest = parts[1], parts[2:]
    if not rest:
        return name
    if name in _KEYED:
        return name + ("/{container}" if len(rest) == 1 else "/{container}/{key}")
    label = rest[0].partition("=")[0] if "=" in rest[0] else ""
    return name + (_BY_KEY.get(label, "/{id}"))


@dataclass(slots=True)
class Tally:
    """The counts since the start or the last reset."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    faults: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    served: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        """Start from zero."""
        self.requests.clear()
        self.faults.clear()
        self.served.clear()

    def summary(self) -> dict[str, Any]:
        """The counts as JSON: `requests` answered, injected `faults`, resources `served`."""
        return {
            "requests": [
                {"method": method, "endpoint": endpoint, "status": status, "count": count}
                for (method, endpoint, status), count in sorted(self.requests.items())
            ],
            "faults": [
                {"method": method, "endpoint": endpoint, "kind": kind, "count": count}
                for (method, endpoint, kind), count in sorted(self.faults.items())
            ],
            "served": dict(sorted(self.served.items())),
        }
