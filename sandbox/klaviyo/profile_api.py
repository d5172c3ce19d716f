"""Single profiles: create, update, upsert, read, merge."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from sandbox.klaviyo.answers import Answer, Problem, RefusedError, iso, refuse
from sandbox.klaviyo.profiles import Profile
from sandbox.klaviyo.queries import Condition, page_links, position_of, sparse
from sandbox.klaviyo.rules import IdentifierRules
from sandbox.klaviyo.state import Call

CONFLICT_DETAIL: Final = "A profile already exists with one of these identifiers."
_EMPTY: Final = ("first_name", "last_name", "organization", "locale", "title", "image")


def create_profile(call: Call) -> Answer:
    """POST profiles: 409 when any identifier is taken."""
    row = _checked(call)
    found = call.account.profiles.matches(row["attributes"], None)
    if found:
        raise _conflict(call, found[0])
    return _upserted(call, row)


def create_or_update_profile(call: Call) -> Answer:
    """POST profile-import: 201 created, 200 updated, 409 when the identifiers are those of different profiles."""
    return _upserted(call, _checked(call))


def update_profile(call: Call) -> Answer:
    """PATCH profiles/{id}: 409 when another profile has one of the identifiers given."""
    row = call.body["data"]
    if row["id"] != call.path["id"]:
        raise refuse(400, "The id in the body differs from the one in the path.", "/data/id")
    _checked(call)
    profiles = call.account.profiles
    profile = _existing(call)
    other = next((found for found in profiles.matches(row["attributes"], None) if found is not profile), None)
    if other is not None:
        raise _conflict(call, other)
    changed = profiles.update(profile, row["attributes"], row.get("meta"), call.now)
    call.effect("profile_updated" if changed else "profile_unchanged", profile.identity)
    return _profile_answer(call, 200, profile)


def get_profile(call: Call) -> Answer:
    """GET profiles/{id}."""
    _refuse_include(call)
    return _profile_answer(call, 200, _existing(call))


def get_profiles(call: Call) -> Answer:
    """GET profiles: identifier filters use the indexes; cursors are positions in the sorted result."""
    _refuse_include(call)
    query, profiles = call.query, call.account.profiles
    start = position_of(query.cursor)
    url = call.url("profiles")
    if not query.conditions and query.sort in (None, "created"):
        page = list(islice(profiles.after(start), query.page_size + 1))
        more = page[query.page_size].seq if len(page) > query.page_size else None
    else:
        chosen = _sorted(_filtered(call), query.sort)
        page = chosen[start : start + query.page_size]
        more = start + len(page) if start + len(page) < len(chosen) else None
    data = [profile_resource(call, profile) for profile in page[: query.page_size]]
    return Answer(200, {"data": data, "links": page_links(url, query, start, more)})


def merge_profiles(call: Call) -> Answer:
    """POST profile-merge: one source; what the destination lacks is taken from it, its events move, it is deleted."""
    body = call.body["data"]
    sources = body["relationships"]["profiles"].get("data") or []
    if len(sources) != 1:
        raise refuse(400, "Exactly one source profile is required.", "/data/relationships/profiles/data")
    profiles = call.account.profiles
    destination, source = profiles.by_id(body["id"]), profiles.by_id(sources[0]["id"])
    if destination is None:
        raise refuse(404, f"A profile with id {body['id']} does not exist.", "/data/id")
    if source is None or source is destination:
        raise refuse(404, "The source profile does not exist.", "/data/relationships/profiles/data/0/id")
    given = {name: value for name, value in source.attributes().items() if value is not None}
    held = {name for name, value in destination.attributes().items() if value is not None}
    profiles.delete(source)
    profiles.update(destination, {name: value for name, value in given.items() if name not in held}, None, call.now)
    call.account.events.move(source.seq, destination.seq)
    call.effect("profile_merged", destination.identity)
    call.effect("profile_deleted", source.identity)
    return Answer(201, {"data": {"type": "profile", "id": destination.id, "links": {"self": _url(call, destination)}}})


def profile_resource(call: Call, profile: Profile) -> dict[str, Any]:
    """A profile as a resource object, with the fields asked for."""
    attributes: dict[str, Any] = {
        **dict.fromkeys(_EMPTY),
        "location": {},
        "properties": {},
        **profile.attributes(),
        "created": iso(profile.created),
        "updated": iso(profile.updated),
        "last_event_date": None,
    }
    if "subscriptions" in call.query.additional:
        attributes["subscriptions"] = _subscriptions(call, profile)
    url = _url(call, profile)
    return {
        "type": "profile",
        "id": profile.id,
        "attributes": sparse(attributes, call.query, "profile"),
        "relationships": {
            name: {"links": {"self": f"{url}/relationships/{name}", "related": f"{url}/{name}"}}
            for name in ("lists", "segments", "push-tokens")
        },
        "links": {"self": url},
    }


def _checked(call: Call) -> dict[str, Any]:
    row: dict[str, Any] = call.body["data"]
    problems: list[Problem] = []
    settings = call.account.settings
    rules = IdentifierRules(bulk=False, unsupported=settings.unsupported_phone_prefixes, echo=settings.echo_values)
    rules.check(row, "/data", problems)
    if (row.get("meta") or {}).get("patch_identifiers"):
        problems.append(Problem("Multi-email profiles are not enabled.", "/data/meta/patch_identifiers"))
    if problems:
        raise RefusedError(400, problems)
    return row


def _upserted(call: Call, row: dict[str, Any]) -> Answer:
    account = call.account
    outcome = account.profiles.upsert(
        row["attributes"],
        row.get("id"),
        call.now,
        rules=account.match_rules,
        clear_nulls=True,
        meta=row.get("meta"),
    )
    if outcome.kind == "conflict" and outcome.other is not None:
        raise _conflict(call, outcome.other)
    if outcome.profile is None:
        raise refuse(404, f"A profile with id {row.get('id')} does not exist.", "/data/")
    call.effect(f"profile_{outcome.kind}", outcome.profile.identity)
    return _profile_answer(call, 201 if outcome.kind == "created" else 200, outcome.profile)


def _conflict(call: Call, other: Profile) -> RefusedError:
    call.effect("profile_conflict", other.identity)
    problem = Problem(
        CONFLICT_DETAIL,
        "/data/attributes",
        code="duplicate_profile",
        title="Conflict.",
        meta={"duplicate_profile_id": other.id},
    )
    return RefusedError(409, [problem])


def _existing(call: Call) -> Profile:
    profile = call.account.profiles.by_id(call.path["id"])
    if profile is None:
        raise refuse(404, f"A profile with id {call.path['id']} does not exist.", "/data/")
    return profile


def _profile_answer(call: Call, status: int, profile: Profile) -> Answer:
    body = {"data": profile_resource(call, profile), "links": {"self": _url(call, profile)}}
    return Answer(status, body, [profile.identity])


def _url(call: Call, profile: Profile) -> str:
    return call.url("profiles", profile.id)


def _refuse_include(call: Call) -> None:
    if call.query.include:
        raise refuse(400, "The simulator has no related resources of profiles.", parameter="include")


def _subscriptions(call: Call, profile: Profile) -> dict[str, Any]:
    consent = call.account.consents.get(profile.seq, {}).get("email", {})
    suppressed_at = call.account.suppressed.get(profile.seq)
    return {
        "email": {
            "marketing": {
                "can_receive_email_marketing": suppressed_at is None and bool(profile.email),
                "consent": consent.get("consent", "NEVER_SUBSCRIBED"),
                "consent_timestamp": consent.get("at"),
                "suppression": [] if suppressed_at is None else [{"reason": "USER_SUPPRESSED", "timestamp": iso(suppressed_at)}],
                "list_suppressions": [],
            }
        }
    }


def _filtered(call: Call) -> Iterator[Profile]:
    conditions = call.query.conditions
    if not conditions:
        return iter(call.account.profiles)
    lookups = {
        "id": call.account.profiles.by_id,
        "external_id": call.account.profiles.by_external_id,
        "email": call.account.profiles.by_email,
        "phone_number": call.account.profiles.by_phone,
    }
    first = next((condition for condition in conditions if condition.field in lookups), None)
    candidates: Iterable[Profile]
    if first is None:
        candidates = call.account.profiles
    else:
        found = {value: lookups[first.field](value) for value in first.values}
        candidates = dict.fromkeys(profile for profile in found.values() if profile is not None)
    return (profile for profile in candidates if all(_meets(profile, condition) for condition in conditions))


def _meets(profile: Profile, condition: Condition) -> bool:
    if condition.field in ("created", "updated"):
        at = iso(getattr(profile, condition.field))
        return at > condition.value if condition.operator == "greater-than" else at < condition.value
    if condition.field == "email":
        return profile.email in {value.lower() for value in condition.values}
    held = {"id": profile.id, "external_id": profile.external_id, "phone_number": profile.phone}
    return held.get(condition.field) in condition.values


def _sorted(profiles: Iterable[Profile], sort: str | None) -> list[Profile]:
    name = (sort or "created").lstrip("-")
    if name.startswith("subscriptions"):
        raise refuse(400, "The simulator does not sort by suppression.", parameter="sort")
    keys: dict[str, Any] = {
        "created": lambda p: (p.created, p.seq),
        "updated": lambda p: (p.updated, p.seq),
        "email": lambda p: (p.email or "", p.seq),
        "id": lambda p: p.seq,
    }
    return sorted(profiles, key=keys[name], reverse=bool(sort and sort.startswith("-")))
