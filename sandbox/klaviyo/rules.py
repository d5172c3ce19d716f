"""Rules for identifiers and times that the contract's schemas cannot express; all are pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from sandbox.klaviyo.answers import Problem
from sandbox.klaviyo.limits import (
    MAX_ERRORS_PER_ANSWER,
    MAX_EVENT_ARRAY,
    MAX_EVENT_LEVELS,
    MAX_EVENT_PROPERTIES,
    MAX_EXTERNAL_ID_CHARS,
    MAX_METRIC_NAME_CHARS,
    MAX_STRING_BYTES,
)

IDENTIFIERS: Final = ("external_id", "email", "phone_number")

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"(?:[^\W_](?:[^\W_]|-)*[^\W_]|[^\W_])"
_EMAIL: Final = re.compile(rf"(?=.{{3,254}}\Z){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:xn--[A-Za-z0-9-]+|[^\W\d_]{{2,63}})\Z")
_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}\Z")
_NORTH_AMERICA: Final = re.compile(r"\+1[2-9][0-9]{9}\Z")
_MIN_PLAUSIBLE_DIGITS: Final = 8

_NO_IDENTIFIER: Final = "One or more profile identifiers (e.g. an ID, email, or phone number) must be provided."
_BAD_EMAIL: Final = "Invalid email address."
_BAD_PHONE: Final = "Invalid phone number format (Example of a valid format: +12345678901)."
_NO_SUCH_PHONE: Final = "The phone number provided either does not exist or is ineligible to receive SMS."


def valid_email(text: str) -> bool:
    """Whether Klaviyo would take `text` as an email address (a dot-atom, an @, a domain with a top level)."""
    return _EMAIL.match(text) is not None and text.index("@") <= 64


def plausible_phone(text: str) -> bool:
    """Whether an E.164 string can be a real number; a rough stand-in for Klaviyo's own check."""
    if text.startswith("+1"):
        return _NORTH_AMERICA.match(text) is not None
    return len(text) > _MIN_PLAUSIBLE_DIGITS


class IdentifierRules:
    """Checks profiles before anything is stored.

    `bulk`: an implausible phone is no fault there, it is dropped when the row is applied.
    `unsupported`: prefixes of regions the account cannot text, a fault everywhere. `echo`: fault texts repeat the value.
    """

    def __init__(self, *, bulk: bool, unsupported: Sequence[str] = (), echo: bool = False) -> None:
        self._bulk = bulk
        self._unsupported = tuple(unsupported)
        self._echo = echo

    def check(self, row: dict[str, Any], pointer: str, problems: list[Problem], also: Sequence[str] = ("_kx",)) -> None:
        """Append a problem for each fault of one profile resource; `also` names further accepted identifiers."""
        attributes = row.get("attributes", {})
        email = attributes.get("email")
        phone = attributes.get("phone_number")
        external_id = attributes.get("external_id")
        if email is not None and not valid_email(email):
            problems.append(Problem(self._say(_BAD_EMAIL, email), f"{pointer}/attributes/email"))
        if phone is not None:
            fault = self._phone_fault(phone)
            if fault:
                problems.append(Problem(self._say(fault, phone), f"{pointer}/attributes/phone_number"))
        if external_id is not None and not 0 < len(external_id) <= MAX_EXTERNAL_ID_CHARS:
            problems.append(Problem("Invalid external ID.", f"{pointer}/attributes/external_id"))
        if not (email or phone or external_id or row.get("id") or any(attributes.get(name) for name in also)):
            problems.append(Problem(_NO_IDENTIFIER, f"{pointer}/attributes"))

    def check_rows(self, rows: list[dict[str, Any]], pointer: str) -> list[Problem]:
        """Problems of many rows; stops once an answer can hold no more."""
        problems: list[Problem] = []
        for i, row in enumerate(rows):
            self.check(row, f"{pointer}/{i}", problems)
            if len(problems) >= MAX_ERRORS_PER_ANSWER:
                break
        return problems

    def _phone_fault(self, phone: str) -> str | None:
        if _E164.match(phone) is None:
            return _BAD_PHONE
        if self._unsupported and phone.startswith(self._unsupported):
            return _NO_SUCH_PHONE
        return None if self._bulk or plausible_phone(phone) else _NO_SUCH_PHONE

    def _say(self, detail: str, value: str) -> str:
        return f"{detail} Got: {value}" if self._echo else detail


def check_event(attributes: dict[str, Any], pointer: str, now: float, problems: list[Problem]) -> None:
    """Append a problem for each fault of an event's attributes; `pointer` is that of the attributes."""
    time = attributes.get("time")
    if time is not None and not _time_in_range(time, now):
        problems.append(Problem("The time must be after the year 1990 and at most 1 year in the future.", f"{pointer}/time"))
    name = attributes["metric"]["data"].get("attributes", {}).get("name")
    if not name or len(name) > MAX_METRIC_NAME_CHARS:
        where = f"{pointer}/metric/data/attributes/name"
        problems.append(Problem("A metric name has 1 to 127 characters.", where))
    currency = attributes.get("value_currency")
    if currency is not None and not re.fullmatch(r"[A-Z]{3}", currency):
        problems.append(Problem("Invalid ISO 4217 currency code.", f"{pointer}/value_currency"))
    properties = attributes["properties"]
    if len(properties) > MAX_EVENT_PROPERTIES:
        problems.append(Problem("An event may have at most 400 properties.", f"{pointer}/properties"))
    fault = None if _is_plainly_small(properties) else _shape_fault(properties, 1)
    if fault:
        problems.append(Problem(fault, f"{pointer}/properties"))


def event_second(time: str | None, now: float) -> int:
    """The event's time as whole seconds since the epoch; `now` when it has none."""
    return int(now if time is None else datetime.fromisoformat(time).timestamp())


def is_past(time: str, now: float) -> bool:
    """Whether an ISO time with offset lies before `now`."""
    return datetime.fromisoformat(time).timestamp() <= now


def _time_in_range(time: str, now: float) -> bool:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return False
    return moment >= datetime(1990, 1, 1, tzinfo=UTC) and moment.timestamp() <= now + 366 * 86_400


def _is_plainly_small(properties: dict[str, Any]) -> bool:
    """Whether nothing in the properties can be too long or too deep: a look at their size, which for most events is enough."""
    if len(msgspec.json.encode(properties)) > 2 * MAX_EVENT_ARRAY:
        return False
    level: list[Any] = [properties]
    for _ in range(MAX_EVENT_LEVELS):
        level = [
            child
            for holder in level
            for child in (holder.values() if type(holder) is dict else holder)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return True
    return False


def _shape_fault(value: dict[str, Any] | list[Any], level: int) -> str | None:
    """What is wrong with a container of an event's properties, or with anything in it."""
    if level > MAX_EVENT_LEVELS:
        return "Properties may be nested at most 10 levels deep."
    if isinstance(value, list):
        if len(value) > MAX_EVENT_ARRAY:
            return "An array may have at most 4000 elements."
        children: Any = value
    else:
        children = value.values()
    for child in children:
        if isinstance(child, str):
            # The length in characters comes first: nearly all strings are short, and a body has tens of thousands.
            if len(child) * 4 > MAX_STRING_BYTES and len(child.encode()) > MAX_STRING_BYTES:
                return "A string may have at most 100KB."
        elif isinstance(child, dict | list):
            fault = _shape_fault(child, level + 1)
            if fault:
                return fault
    return None
