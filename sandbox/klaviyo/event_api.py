"""Events: single, bulk and read; each also creates or updates its profile."""

import operator
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from sandbox.klaviyo.answers import Answer, Problem, RefusedError, iso, refuse
from sandbox.klaviyo.events import Event
from sandbox.klaviyo.imports import row_identity
from sandbox.klaviyo.limits import MAX_ERRORS_PER_ANSWER, MAX_EVENTS_PER_REQUEST
from sandbox.klaviyo.profiles import Profile
from sandbox.klaviyo.queries import Condition, page_links, position_of, sparse
from sandbox.klaviyo.rules import IDENTIFIERS, IdentifierRules, check_event, event_second
from sandbox.klaviyo.state import Call

_ENTRIES: Final = "/data/attributes/events-bulk-create/data"
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "greater-or-equal": operator.ge,
    "greater-than": operator.gt,
    "less-or-equal": operator.le,
    "less-than": operator.lt,
}
_ALSO: Final = ("_kx", "anonymous_id")


def create_event(call: Call) -> Answer:
    """POST events: 202 without a body; a repeated unique id is ignored silently."""
    attributes = call.body["data"]["attributes"]
    row = attributes["profile"]["data"]
    problems: list[Problem] = []
    _identifier_rules(call, bulk=False).check(row, "/data/attributes/profile/data", problems, _ALSO)
    check_event(attributes, "/data/attributes", call.now, problems)
    if problems:
        raise RefusedError(400, problems)
    _store(call, row, [(attributes, bool(attributes.get("backfill")))])
    return Answer(202, None, [_unique_id(attributes, call.now)])


def bulk_create_events(call: Call) -> Answer:
    """POST event-bulk-create-jobs: all or nothing; 202 without a body."""
    entries = call.body["data"]["attributes"]["events-bulk-create"]["data"]
    total = sum(len(entry["attributes"]["events"]["data"]) for entry in entries)
    if not 0 < total <= MAX_EVENTS_PER_REQUEST:
        raise refuse(400, "A request holds 1 to 1000 events.", _ENTRIES)
    problems = _entry_problems(call, entries)
    if problems:
        raise RefusedError(400, problems)
    identities: list[str] = []
    for entry in entries:
        attributes = entry["attributes"]
        of_all = bool(attributes.get("backfill"))
        events = [event["attributes"] for event in attributes["events"]["data"]]
        _store(call, attributes["profile"]["data"], [(e, of_all or bool(e.get("backfill"))) for e in events])
        identities.extend(_unique_id(event, call.now) for event in events)
    return Answer(202, None, identities)


def get_events(call: Call) -> Answer:
    """GET events: filters by metric, profile and time; newest first unless sorted otherwise."""
    if call.query.include:
        raise refuse(400, "The simulator includes nothing with events.", parameter="include")
    chosen = [
        (number, event)
        for number, event in call.account.events.after(0)
        if all(_meets(call, event, condition) for condition in call.query.conditions)
    ]
    ascending = call.query.sort in ("datetime", "timestamp")
    chosen.sort(key=lambda pair: (pair[1].second, pair[0]), reverse=not ascending)
    start = position_of(call.query.cursor)
    page = list(islice(chosen, start, start + call.query.page_size))
    more = start + len(page) if start + len(page) < len(chosen) else None
    data = [_resource(call, number, event) for number, event in page]
    return Answer(200, {"data": data, "links": page_links(call.url("events"), call.query, start, more)})


def get_event(call: Call) -> Answer:
    """GET events/{id}."""
    number = call.path["id"].removeprefix("evt")
    event = call.account.events.get(int(number)) if number.isascii() and number.isdigit() else None
    if event is None:
        raise refuse(404, "An event with this id does not exist.", "/data/")
    resource = _resource(call, int(number), event)
    return Answer(200, {"data": resource, "links": resource["links"]})


def _identifier_rules(call: Call, *, bulk: bool) -> IdentifierRules:
    settings = call.account.settings
    return IdentifierRules(bulk=bulk, unsupported=settings.unsupported_phone_prefixes, echo=settings.echo_values)


def _entry_problems(call: Call, entries: list[dict[str, Any]]) -> list[Problem]:
    rules = _identifier_rules(call, bulk=True)
    refuse_stored = call.account.settings.stored_unique_ids == "refuse"
    seen: set[tuple[str, str, str]] = set()
    problems: list[Problem] = []
    for i, entry in enumerate(entries):
        pointer = f"{_ENTRIES}/{i}/attributes"
        row = entry["attributes"]["profile"]["data"]
        rules.check(row, f"{pointer}/profile/data", problems, _ALSO)
        who, profile = _person(call, row)
        for j, event in enumerate(entry["attributes"]["events"]["data"]):
            attributes = event["attributes"]
            where = f"{pointer}/events/data/{j}/attributes"
            check_event(attributes, where, call.now, problems)
            unique_id = attributes.get("unique_id")
            if unique_id is None:
                continue
            metric = attributes["metric"]["data"]["attributes"]["name"]
            key = (who, metric, unique_id)
            stored = refuse_stored and profile is not None and call.account.events.has(profile.seq, metric, unique_id)
            if key in seen or stored:
                detail = "The unique_id is repeated for the same profile and metric."
                problems.append(Problem(detail, f"{where}/unique_id"))
            seen.add(key)
        if len(problems) >= MAX_ERRORS_PER_ANSWER:
            break
    return problems


def _person(call: Call, row: dict[str, Any]) -> tuple[str, Profile | None]:
    """A key for the person a row names, the stored profile's id where there is one."""
    found = call.account.profiles.matches(row["attributes"], row.get("id"))
    if found:
        return found[0].id, found[0]
    return row_identity(row).lower(), None


def _store(call: Call, row: dict[str, Any], events: list[tuple[dict[str, Any], bool]]) -> None:
    """Write a person's events; identifiers that belong to somebody else are left where they are."""
    profile = _event_profile(call, row)
    keep = call.account.settings.keep_event_properties
    for attributes, backfill in events:
        second = event_second(attributes.get("time"), call.now)
        unique_id = _unique_id(attributes, call.now)
        if profile is None:
            call.effect("event_without_profile", unique_id)
            continue
        stored = call.account.events.store(profile.seq, attributes, second, call.now, backfill=backfill, keep=keep)
        call.effect("event_stored" if stored else "event_ignored", unique_id)


def _event_profile(call: Call, row: dict[str, Any]) -> Profile | None:
    account = call.account
    attributes, meta = dict(row["attributes"]), row.get("meta") or row["attributes"].get("meta")
    found = account.profiles.matches(attributes, row.get("id"))
    if len(found) > 1:
        for name in IDENTIFIERS:
            if name in attributes and found[0] not in account.profiles.matches({name: attributes[name]}, None):
                del attributes[name]
        call.effect("event_profile_conflict", found[0].identity)
    outcome = account.profiles.upsert(
        attributes, row.get("id"), call.now, rules=account.match_rules, clear_nulls=False, meta=meta
    )
    profile = outcome.profile or outcome.other
    if profile is not None and outcome.profile is not None:
        call.effect(f"profile_{outcome.kind}", profile.identity)
    elif profile is not None:
        call.effect("event_profile_conflict", profile.identity)
    return profile


def _unique_id(attributes: dict[str, Any], now: float) -> str:
    name = attributes["metric"]["data"]["attributes"]["name"]
    return f"{name}:{attributes.get('unique_id') or event_second(attributes.get('time'), now)}"


def _profile_by_seq(call: Call, seq: int) -> Iterator[Profile]:
    return islice(call.account.profiles.after(seq), 1)


def _meets(call: Call, event: Event, condition: Condition) -> bool:
    if condition.operator == "has":
        return True
    if condition.field == "metric_id":
        return call.account.events.metrics[event.metric].id == condition.value
    if condition.field == "profile_id":
        return any(profile.id == condition.value for profile in _profile_by_seq(call, event.profile))
    wanted = event_second(condition.value, 0) if condition.field == "datetime" else float(condition.value)
    return _COMPARISONS[condition.operator](event.second, wanted)


def _resource(call: Call, number: int, event: Event) -> dict[str, Any]:
    metric = call.account.events.metrics[event.metric]
    profile = next(_profile_by_seq(call, event.profile))
    url = call.url("events", f"evt{number}")
    properties = msgspec.json.decode(event.properties) if event.properties else {}
    properties["$event_id"] = event.unique_id
    if event.value is not None:
        properties["$value"] = event.value
    return {
        "type": "event",
        "id": f"evt{number}",
        "attributes": sparse(
            {
                "timestamp": event.second,
                "event_properties": properties,
                "datetime": iso(event.second),
                "uuid": f"00000000-0000-0000-0000-{number:012d}",
            },
            call.query,
            "event",
        ),
        "relationships": {
            name: {
                "data": {"type": name, "id": related},
                "links": {"self": f"{url}/relationships/{name}", "related": f"{url}/{name}"},
            }
            for name, related in (("profile", profile.id), ("metric", metric.id))
        },
        "links": {"self": url},
    }
