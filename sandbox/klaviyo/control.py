"""The simulator's own routes under `/_sandbox/`: ledger, summary, dumps, settings, reset. They need no key."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox.fault_middleware import CONTROL_PREFIX
from sandbox.klaviyo.profiles import Profile
from sandbox.klaviyo.settings import KlaviyoSandboxSettings
from sandbox.klaviyo.state import Account

_LINES_PER_CHUNK: Final = 500
_MAX_PAGE: Final = 10_000


def control_routes(account: Account) -> list[Route]:
    """Routes to look into the account and to steer it.

    GET ledger (`after`, `limit`, `what` = requests or effects), bodies (`after`, a number of the ledger), summary, settings,
    profiles (`external_id`, `email` or `phone_number`); GET profiles/dump, events/dump, catalog/dump stream one JSON object a
    line; POST reset; POST settings with the settings to change.
    """
    return [
        Route(CONTROL_PREFIX + name, _Endpoint(account, handler), methods=[method])
        for name, method, handler in (
            ("ledger", "GET", _ledger),
            ("bodies", "GET", _bodies),
            ("summary", "GET", _summary),
            ("profiles", "GET", _profiles),
            ("profiles/dump", "GET", _profiles_dump),
            ("events/dump", "GET", _events_dump),
            ("catalog/dump", "GET", _catalog_dump),
            ("settings", "GET", _get_settings),
            ("settings", "POST", _post_settings),
            ("reset", "POST", _reset),
        )
    ]


class _Endpoint:
    """Settles what is due before it answers, so that a look never sees half a job."""

    def __init__(self, account: Account, handler: Any) -> None:
        self._account = account
        self._handler = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        await self._account.backlog.settle(self._account.clock())
        response: Response = self._handler(self._account, request, await request.body())
        await response(scope, receive, send)


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _ledger(account: Account, request: Request, _body: bytes) -> Response:
    after = int(request.query_params.get("after", 0))
    limit = min(int(request.query_params.get("limit", _MAX_PAGE)), _MAX_PAGE)
    if request.query_params.get("what") == "effects":
        return _json(list(account.ledger.effects(after, limit)))
    return _json(account.ledger.entries[after : after + limit])


def _bodies(account: Account, request: Request, _body: bytes) -> Response:
    """What the requests said that reached the application, if the settings have it kept."""
    after = int(request.query_params.get("after", 0))
    return _json([kept for kept in account.bodies if kept.seq > after])


def _summary(account: Account, _request: Request, _body: bytes) -> Response:
    catalog = {kind: len(shelf) for kind, shelf in account.catalog.shelves.items()}
    events = sum(1 for _ in account.events.after(0))
    return _json({**account.ledger.summary(), "profiles": account.profiles.count, "events": events, "catalog": catalog})


def _profiles(account: Account, request: Request, _body: bytes) -> Response:
    lookups = {
        "external_id": account.profiles.by_external_id,
        "email": account.profiles.by_email,
        "phone_number": account.profiles.by_phone,
    }
    for name, lookup in lookups.items():
        if name in request.query_params:
            profile = lookup(request.query_params[name])
            return _json({"error": "no such profile"}, 404) if profile is None else _json(_whole(account, profile))
    return _json({"error": "name external_id, email or phone_number"}, 400)


def _whole(account: Account, profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "attributes": profile.attributes(),
        "versions": profile.versions,
        "changes": profile.changes,
        "consent": account.consents.get(profile.seq, {}),
        "suppressed": profile.seq in account.suppressed,
    }


def _stream(lines: Iterator[dict[str, Any]]) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        held: list[bytes] = []
        for line in lines:
            held.append(msgspec.json.encode(line) + b"\n")
            if len(held) == _LINES_PER_CHUNK:
                yield b"".join(held)
                held.clear()
                await asyncio.sleep(0)
        yield b"".join(held)

    return StreamingResponse(chunks(), media_type="application/x-ndjson")


def _profiles_dump(account: Account, request: Request, _body: bytes) -> Response:
    """One line a profile; `full=1` adds everything stored."""
    full = request.query_params.get("full") == "1"
    return _stream(
        {
            "id": profile.id,
            "external_id": profile.external_id,
            "email": profile.email,
            "versions": profile.versions,
            "changes": profile.changes,
            **({"attributes": profile.attributes()} if full else {}),
        }
        for profile in account.profiles
    )


def _events_dump(account: Account, request: Request, _body: bytes) -> Response:
    """One line an event; `full=1` adds its properties."""
    full = request.query_params.get("full") == "1"

    def lines() -> Iterator[dict[str, Any]]:
        for _, event in account.events.after(0):
            profile = next(account.profiles.after(event.profile))
            line = {
                "external_id": profile.external_id,
                "email": profile.email,
                "metric": account.events.metrics[event.metric].name,
                "unique_id": event.unique_id,
                "time": event.second,
                "value": event.value,
                "value_currency": event.currency,
                "backfill": event.backfill,
            }
            if full:
                line["properties"] = msgspec.json.decode(event.properties or b"null")
            yield line

    return _stream(lines())


def _catalog_dump(account: Account, request: Request, _body: bytes) -> Response:
    """One line an object; `full=1` adds its attributes."""
    full = request.query_params.get("full") == "1"
    return _stream(
        {
            "kind": kind,
            "external_id": entry.external_id,
            "item": entry.item.external_id if entry.item else None,
            "categories": sorted(category.external_id for category in entry.categories.values()),
            "versions": entry.versions,
            "changes": entry.changes,
            **({"attributes": entry.attributes()} if full else {}),
        }
        for kind, shelf in account.catalog.shelves.items()
        for entry in shelf.after(0)
    )


def _get_settings(account: Account, _request: Request, _body: bytes) -> Response:
    shown = msgspec.to_builtins(account.settings)
    del shown["key"]
    return _json(shown)


def _post_settings(account: Account, _request: Request, body: bytes) -> Response:
    try:
        changed = {**msgspec.to_builtins(account.settings), **msgspec.json.decode(body, type=dict[str, Any])}
        account.settings = msgspec.convert(changed, KlaviyoSandboxSettings)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return _json({"error": str(error)}, 400)
    return Response(status_code=204)


def _reset(account: Account, _request: Request, _body: bytes) -> Response:
    account.reset()
    account.faults.clear()
    return Response(status_code=204)
