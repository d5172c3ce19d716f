"""Notifications before and after: every folder `notifications/<name of the route>/<case>/` is one case.

`notification.json`  what commercetools delivers, in its Platform format
`source.json`        what was read for it, as the route's source (`null`: the resource is gone); absent where nothing is read
`settings.json`      the merchant's choices and the time, where the defaults are not meant (`CaseSettings`)
`klaviyo.json`       what Klaviyo knows already, where that is not nothing (`Known`)
`expected.json`      `skip` with its reason; or `requests`, each with `method`, `path` and `body`, and `adjustments`

Amounts are compared digit by digit. After a deliberate change of a mapping, `python -m tests.golden.test_notification_golden
CASE...` (`OrderCreated/yen`) writes the `expected.json` of these cases anew, to be reviewed line by line.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from sandbox import contracts
from shared.klaviyo.profile_requests import FoundProfile
from shared.klaviyo.requests import Request
from shared.mapping.choices import Choices
from shared.mapping.result import Skip
from shared.realtime.messages import OrderMessage, embeds_order
from shared.realtime.notification import Notification, notification_of
from shared.realtime.preferred import Known, preferred_requests
from shared.realtime.registry import CHANGES, ROUTES, route_of
from shared.realtime.route import Result, Route
from shared.settings.document import SyncDocument
from shared.settings.document_check import check_document

FOLDER = Path(__file__).parent / "notifications"
CASES = sorted(path for path in FOLDER.glob("*/*") if path.is_dir())
NAMES = {route.name for route in ROUTES}
EXPECTED = "expected.json"
ALWAYS, SOMETIMES = {"notification.json", EXPECTED}, {"source.json", "settings.json", "klaviyo.json"}
NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
"""Messages that hold the order itself, which is then not read."""

_decode_exactly = msgspec.json.Decoder(Any, float_hook=Decimal).decode
_encode_exactly = msgspec.json.Encoder(decimal_format="number").encode

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")


class Vanishing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The resource was there at first and is gone after the writes; `made`: they have made something new in Klaviyo."""

    made: bool


class CaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`document`: what the merchant's configuration document says. The rest as in `Choices`; `now` (UTC)."""

    document: dict[str, Any] = {}
    locale: str = ""
    currency: str = ""
    url_template: str = ""
    price_channel_id: str = ""
    price_group_id: str = ""
    stock_channel_id: str = ""
    now: datetime = NOON
    vanished: Vanishing | None = None

    @property
    def choices(self) -> Choices:
        """What the mapping gets."""
        document, problems = check_document(self.document)
        assert not problems
        return Choices(
            document,
            self.locale,
            self.currency,
            self.url_template,
            self.price_channel_id,
            self.price_group_id,
            self.stock_channel_id,
        )


class KnownToKlaviyo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`Known`, in the form of `klaviyo.json`."""

    item: bool = False
    variants: list[str] = []
    categories: dict[str, str] = {}
    profile: FoundProfile | None = None


@cache
def contract() -> dict[str, Any]:
    """Klaviyo's strict contract."""
    document: dict[str, Any] = msgspec.json.decode(Path(contracts.__file__).with_name("klaviyo.json").read_bytes())
    return document


@cache
def validator(method: str, path: str) -> Any:
    """Judges the bodies of an operation; None where it has none."""
    [operation] = [one for one in contract()["operations"] if (one["method"], one["path"]) == (method, path)]
    if "body" not in operation:
        return None
    schema = {"$ref": f"#/$defs/{operation['body']}", "$defs": contract()["$defs"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def notification_in(case: Path) -> Notification:
    """What was delivered."""
    return notification_of((case / "notification.json").read_bytes())


def settings_of(case: Path) -> CaseSettings:
    """The merchant's choices in this case."""
    file = case / "settings.json"
    return msgspec.json.decode(file.read_bytes(), type=CaseSettings) if file.exists() else CaseSettings()


def known_in(case: Path) -> Known:
    """What Klaviyo knows in this case."""
    file = case / "klaviyo.json"
    told = msgspec.json.decode(file.read_bytes(), type=KnownToKlaviyo) if file.exists() else KnownToKlaviyo()
    return Known(told.item, told.variants, told.categories, told.profile)


def source_in(case: Path, route: Route[Any]) -> Any:
    """What was read, or None when the resource is gone."""
    return msgspec.json.decode((case / "source.json").read_bytes(), type=route.source | None)


def result_of(case: Path, notification: Notification, route: Route[Any]) -> Result:
    """What the notification comes to."""
    settings = settings_of(case)
    choices = settings.choices
    source = source_in(case, route)
    if source is None:
        if settings.vanished is not None:
            return route.vanished(notification, choices, settings.vanished.made)
        return route.is_gone(notification, choices)
    return route.map(notification, source, choices, settings.now)


def skipped_unread(case: Path, notification: Notification, route: Route[Any]) -> str | None:
    """Why the notification comes to nothing before anything is read."""
    document = settings_of(case).choices.document
    if route.disabled(notification, document):
        return "disabled"
    reason = route.irrelevant(notification, document)
    return reason and reason.value


def requests_of(case: Path) -> tuple[list[Request[Any]], dict[str, Any]]:
    """The requests of a case, and what it comes to in the form of `expected.json`."""
    notification = notification_in(case)
    route = route_of(notification, settings_of(case).choices.document)
    assert route is not None
    assert route.name == case.parent.name
    unread = skipped_unread(case, notification, route)
    if unread:
        return [], {"skip": unread}
    result = result_of(case, notification, route)
    if isinstance(result, Skip):
        return [], {"skip": result.reason.value}
    known = known_in(case)
    requests = [request for write in result.writes for request in preferred_requests(write, known)]
    return requests, {
        "requests": [shown(request) for request in requests],
        "adjustments": [kind.value for kind in result.adjustments],
    }


def shown(request: Request[Any]) -> dict[str, Any]:
    """A request as a case shows it; no writing request has a query."""
    assert not request.query
    named = {"method": request.endpoint.method, "path": request.path}
    return {**named, "body": _decode_exactly(request.body)} if request.body else named


def by_text(value: Any) -> bytes:
    """So that `1` is neither `1.00` nor `true`, while the order of names does not count."""
    return msgspec.json.Encoder(decimal_format="number", order="sorted").encode(value)


@each_case
def test_a_notification_comes_to_the_expected_requests(case: Path) -> None:
    """Exactly these, in this order; or the reason why there are none."""
    expected = _decode_exactly((case / EXPECTED).read_bytes())
    _, outcome = requests_of(case)
    assert outcome == expected
    assert by_text(outcome) == by_text(expected)


@each_case
def test_every_body_keeps_klaviyos_contract(case: Path) -> None:
    """No unknown attribute, no wrong type, nothing required missing; and a body exactly where the operation has one."""
    for request in requests_of(case)[0]:
        judge = validator(request.endpoint.method, request.endpoint.path)
        assert (judge is None) == (not request.body)
        if judge is not None:
            judge.validate(msgspec.json.decode(request.body))


@each_case
def test_a_case_has_its_files_and_no_others(case: Path) -> None:
    """`source.json` exactly where something is read; what a message embeds and what was read of it are the same."""
    names = {path.name for path in case.iterdir()}
    assert ALWAYS <= names <= ALWAYS | SOMETIMES
    notification = notification_in(case)
    route = route_of(notification, settings_of(case).choices.document)
    assert route is not None
    is_read = skipped_unread(case, notification, route) is None
    assert ("source.json" in names) == is_read
    if is_read and embeds_order(notification):
        embedded, read = notification.fields(OrderMessage).order, source_in(case, route).order
        assert msgspec.structs.replace(embedded, customerGroup=None) == msgspec.structs.replace(read, customerGroup=None)


def test_every_kind_of_notification_has_cases_and_every_folder_is_of_one() -> None:
    """The registry and the folders name the same routes, and nothing lies beside the cases."""
    assert {path.name for path in FOLDER.iterdir()} == NAMES
    assert {path.parent.name for path in CASES} == NAMES
    assert [path for path in FOLDER.glob("*/*") if not path.is_dir()] == []


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_type_of_a_route_has_cases(route: Route[Any]) -> None:
    """Each change, and each message with its own fields and with these left out."""
    document = SyncDocument()
    delivered = {(one.type, one.has_payload) for one in map(notification_in, CASES) if one.resource_type == route.resource_type}
    types = set(route.types(document))
    left_out = {(name, False) for name in types - CHANGES}
    assert left_out | {(name, True) for name in types} <= delivered


def write_expected(names: list[str]) -> None:
    """Write the `expected.json` of these cases anew."""
    for name in names:
        case = FOLDER / name
        _, outcome = requests_of(case)
        (case / EXPECTED).write_bytes(msgspec.json.format(_encode_exactly(outcome), indent=2) + b"\n")


if __name__ == "__main__":
    write_expected(sys.argv[1:])
