"""What is to be done about one subscription: from what is wanted and what there is to the steps between them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from post_deploy.destinations import Destination, held_destination
from post_deploy.held import DELIVERY_STOPPED, Held
from post_deploy.wanted import Wanted


@dataclass(frozen=True, slots=True)
class SetMessages:
    """Deliver these messages of the type of resource; none: no messages."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetChanges:
    """Deliver changes of the type of resource, or none."""

    on: bool


@dataclass(frozen=True, slots=True)
class ChangeDestination:
    """Deliver there; commercetools sends a test notification first."""

    destination: Destination


Action: TypeAlias = SetMessages | SetChanges | ChangeDestination


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as wanted: `text` says for a person what, `action` mends it."""

    text: str
    action: Action


@dataclass(frozen=True, slots=True)
class Create:
    """There is none yet."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Update:
    """Some of it differs; `version` is the one that was compared."""

    wanted: Wanted
    version: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """It is not wanted; `version` is the one that was read."""

    version: int


Step: TypeAlias = Create | Update | Remove


def step_towards(wanted: Wanted | None, held: Held | None) -> Step | None:
    """The next step from `held` (None: there is none) to `wanted` (None: there should be none); None when it is as wanted."""
    if wanted is None:
        return Remove(held.version) if held else None
    if held is None:
        return Create(wanted)
    found = differences(wanted, held)
    return Update(wanted, held.version, found) if found else None


def differences(wanted: Wanted, held: Held) -> tuple[Difference, ...]:
    """What has to be changed; only what differs.

    The format of delivery is none of it: we ask for commercetools' own, no update can change it, and both that and
    CloudEvents are read (commercetools.md 1). Delivery that has been stopped is resumed by naming the destination again, so
    only where that is known is it a difference.
    """
    found: list[Difference] = []
    if text := _messages(wanted, held):
        found.append(Difference(text, SetMessages(wanted.messages)))
    if text := _changes(wanted, held):
        found.append(Difference(text, SetChanges(wanted.changes)))
    destination = held_destination(held.destination)
    if wanted.destination is None:
        return tuple(found)
    if destination != wanted.destination:
        text = f"destination {destination} -> {wanted.destination}"
        found.append(Difference(text, ChangeDestination(wanted.destination)))
    elif held.status == DELIVERY_STOPPED:
        found.append(Difference("delivery stopped -> resumed", ChangeDestination(wanted.destination)))
    return tuple(found)


def described(step: Step | None) -> str:
    """How things stand, for a person who only looks."""
    match step:
        case None:
            return "as wanted"
        case Create():
            return "missing"
        case Remove():
            return "not wanted"
        case Update():
            return f"differs: {listed(step.differences)}"


def listed(found: tuple[Difference, ...]) -> str:
    """All differences in one line."""
    return ", ".join(difference.text for difference in found)


def _messages(wanted: Wanted, held: Held) -> str:
    """Which messages to add and to take away; empty when there are none."""
    by_resource = held.message_types()
    types = by_resource.pop(wanted.resource_type, None)
    parts = [f"-all of {resource_type}" for resource_type in sorted(by_resource)]
    if types is None:
        parts += [f"+{name}" for name in wanted.messages]
    elif not types:
        parts += ["-all", *(f"+{name}" for name in wanted.messages)]
    else:
        parts += [f"+{name}" for name in wanted.messages if name not in types]
        parts += [f"-{name}" for name in sorted(types.difference(wanted.messages))]
    return f"messages {' '.join(parts)}" if parts else ""


def _changes(wanted: Wanted, held: Held) -> str:
    before = held.change_types()
    after = frozenset({wanted.resource_type} if wanted.changes else ())
    parts = [f"+{name}" for name in sorted(after - before)] + [f"-{name}" for name in sorted(before - after)]
    return f"changes {' '.join(parts)}" if parts else ""
