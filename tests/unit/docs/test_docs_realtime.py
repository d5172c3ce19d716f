"""docs/realtime.md says what the registry and the endpoint do, and docs/operations.md explains what they say."""

from __future__ import annotations

import json
import re

from docs_pages import called, constants, page, product_calls
from notifications_reference import notifications_table, subscription_draft

from shared.commercetools.dead_letters import CONTAINER
from shared.commercetools.reads import UNREADABLE
from shared.dead_letters import MOST
from shared.errors import AuthError, HostDown, RateLimited, TransientError
from shared.realtime import http, process
from shared.realtime.order_reading import NoOrderForPayment
from shared.realtime.registry import ROUTES, subscriptions
from shared.realtime.verdict import Outcome
from shared.settings import SyncDocument
from shared.settings.environment import BY_NAME

PAGE = page("docs/realtime.md")
OPERATIONS = page("docs/operations.md")
CONFIGURATION = page("docs/configuration.md")
MALFORMED = {"MalformedPush", "MalformedNotification"}


def test_the_table_of_notifications_is_the_registry() -> None:
    """Name, resource, types and what it does, for every route and no other."""
    assert notifications_table() in PAGE.text


def test_the_subscription_is_what_the_registry_needs() -> None:
    """Whoever pastes the body subscribes to all that is handled by default, and to nothing else."""
    body = json.loads(next(body for language, body in PAGE.fences if language == "json"))
    assert body.keys() == {"key", "destination", "messages", "changes"}
    wanted = json.loads(f"{{{subscription_draft()}}}")
    assert {name: body[name] for name in wanted} == wanted
    of_registry = subscriptions(SyncDocument())
    assert {one["resourceTypeId"] for one in wanted["messages"]} == {one.resource_type for one in of_registry if one.messages}
    assert {one["resourceTypeId"] for one in wanted["changes"]} == {one.resource_type for one in of_registry if one.changes}


def test_every_answer_is_named() -> None:
    """The statuses of outcomes, of refusals, and of everything else that the endpoint answers."""
    others = {
        values[0]
        for path, node in product_calls()
        if path == "shared/realtime/http.py" and called(node) == "_json"
        for values in [constants(node)]
        if isinstance(values[0], int)
    }
    denied = {
        values[0] for path, node in product_calls() if path == "shared/access.py" and called(node) == "Denied"
        for values in [constants(node)]
    }  # fmt: skip
    listed = {int(status) for row in PAGE.table("Answers") for status in re.findall(r"\d+", row[0])}
    assert listed == {*http.STATUSES.values(), *others, *denied}


def test_every_outcome_is_explained() -> None:
    """Those of the log line; and the reasons to deliver again that are not those of dead letters."""
    section = OPERATIONS.table("Outcome of a notification")
    assert {row[0].strip("`") for row in section if row[0].strip("`") in {*Outcome}} == {*Outcome}
    named = OPERATIONS.codes("Outcome of a notification")
    assert {error.__name__ for error in (AuthError, HostDown, RateLimited, TransientError)} <= named
    assert {process.MOVED, "deadline"} <= named


def test_every_reason_of_ours_for_a_dead_letter_is_explained() -> None:
    """What we say of deliveries and resources ourselves; everything else is a code of a host."""
    ours = {str(constants(node)[0]) for _, node in product_calls() if called(node) in MALFORMED and constants(node)}
    assert len(ours) > 8
    assert OPERATIONS.codes("Dead letters") - {"pointer"} >= ours
    assert OPERATIONS.codes("Dead letters") - {"pointer"} == ours | {UNREADABLE, NoOrderForPayment().reason}


def test_numbers_and_names_are_those_of_the_code() -> None:
    """Rounds, the bound of dead letters, the container, the deadline."""
    assert process.ROUNDS == 3
    assert "three times at most" in PAGE.text
    assert f"The newest {MOST:,} are kept" in PAGE.text
    assert f"`{CONTAINER}`" in PAGE.text
    assert f"`REALTIME_DEADLINE_S` ({BY_NAME['REALTIME_DEADLINE_S'].default} s)" in PAGE.text


def test_every_scope_of_the_readme_is_explained() -> None:
    """What a key needs stands in the README; what for, and what is lost without it, in the page."""
    named = {span for span in page("README.md").spans if re.fullmatch(r"(view|manage)_\w+|[\w-]+:(read|write)", span)}
    assert len(named) > 9
    explained = PAGE.codes("Scopes") | {span for span in PAGE.spans if re.fullmatch(r"[\w-]+:(read|write)", span)}
    assert named - explained == {"lists:read", "lists:write"}  # which only imports need


def test_every_name_that_switches_a_notification_off_is_documented() -> None:
    """Ours beside the older product's."""
    known = {name for route in ROUTES for name in (route.name, *route.also_disabled_by)}
    assert known <= set(CONFIGURATION.spans) | set(PAGE.spans)
