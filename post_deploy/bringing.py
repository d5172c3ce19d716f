"""Brings the subscriptions at commercetools to what is wanted, one after the other, and looks again after each write."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

import msgspec

from post_deploy.advice import AGAIN, after_error, after_status
from post_deploy.destinations import Destination, delivers_to, held_destination
from post_deploy.held import HEALTHY, TEMPORARY, Held
from post_deploy.plan import Create, Remove, Step, Update, described, listed, step_towards
from post_deploy.wanted import Wanted, nothing_wanted
from shared.budget import Budget, budget_of
from shared.commercetools.client import CommercetoolsClient, VersionConflict, unreadable
from shared.decoding import UNDECODABLE
from shared.errors import AuthError, Gone, Interrupted, PermanentError, SyncError
from shared.outcomes import PathKind
from shared.retrying import wait_s

EACH_S = 40.0
"""Time for one subscription: two requests that hang, or a series of refusals that pass."""

ROUNDS = 8
"""How often one is read, and written if it differs, before it is given up: with the waits between them, 20 seconds at most."""

_LONGEST_WAIT_S = 4.0

NewBudget: TypeAlias = Callable[[], Budget]

_HELD = msgspec.json.Decoder(Held)


@dataclass(frozen=True, slots=True)
class Report:
    """How one subscription ended: `text` says what was done, or what is wrong and the `next_step`.

    One that is `as_wanted` and has a `next_step` is no failure, but somebody should look at it.
    """

    key: str
    text: str
    as_wanted: bool
    next_step: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {self.text}{f'; {self.next_step}' if self.next_step else ''}"


@dataclass(frozen=True, slots=True)
class Project:
    """The project at commercetools; `new_budget` gives the time that each subscription has."""

    project_id: str
    connection: CommercetoolsClient
    new_budget: NewBudget = lambda: budget_of(EACH_S)
    rng: Callable[[], float] = random.random


class NotSettled(SyncError):
    """It was written, and is not as it was written."""


@dataclass(slots=True)
class _Course:
    """What was done for one subscription so far."""

    project: Project
    key: str
    wanted: Wanted | None
    budget: Budget
    done: list[str] = field(default_factory=list)
    tried: bool = False


def brought(project: Project, wanted: Mapping[str, Wanted | None]) -> Iterator[Report]:
    """Bring each to what is wanted under its key, None meaning that there should be none; yields how each ended.

    One that fails does not keep the others from being tried, unless the credentials are refused.
    """
    yield from _each(project, wanted, _bring)


def removed(project: Project, connect_env: str, destination: Destination | None) -> Iterator[Report]:
    """Remove all of ours; with a `destination` only what delivers there, since another deployment has taken over the others."""
    yield from _each(project, nothing_wanted(connect_env), partial(_bring, only_to=destination))


def untouched(wanted: Mapping[str, Wanted | None], because: str) -> Iterator[Report]:
    """Try none, and say so of each."""
    for key in wanted:
        yield Report(key, f"not tried, because {because}", False)


def compared(project: Project, wanted: Mapping[str, Wanted | None]) -> Iterator[Report]:
    """Compare each with what is wanted and write nothing; yields what differs, and where it delivers if any place will do."""
    yield from _each(project, wanted, _compare)


def _each(project: Project, wanted: Mapping[str, Wanted | None], work: Callable[[_Course], Report]) -> Iterator[Report]:
    refused: AuthError | None = None
    for key, one in wanted.items():
        if refused:
            yield Report(key, "not tried, because commercetools refuses the credentials", False)
            continue
        course = _Course(project, key, one, project.new_budget())
        try:
            yield work(course)
        except SyncError as error:
            refused = error if isinstance(error, AuthError) and error.status == 401 else None
            yield _failed(course, error)
        except Exception as error:  # of the SDK, whose texts may quote what was sent
            yield Report(key, f"FAILED: {type(error).__name__} in the commercetools SDK", False, AGAIN)


def _failed(course: _Course, error: SyncError) -> Report:
    what = "no answer in time" if isinstance(error, Interrupted) else str(error)
    before = f" after it was {', then '.join(course.done)}" if course.done else ""
    advice = after_error(error, course.wanted.destination if course.wanted else None, course.project.project_id)
    return Report(course.key, f"FAILED{before}: {what}", False, advice)


def _compare(course: _Course) -> Report:
    held = _read(course)
    step = step_towards(course.wanted, held)
    text = described(step)
    if held and course.wanted and course.wanted.destination is None:
        text = f"{text} (delivers to {held_destination(held.destination)})"
    if step is not None:
        return Report(course.key, text, False)
    if course.wanted is None or held is None:
        return Report(course.key, "as wanted, there is none", True)
    return _by_health(course, held, text)


def _bring(course: _Course, *, only_to: Destination | None = None) -> Report:
    """Read, write what differs, and read again, until it is as wanted; so a conflict or a lost answer does no harm.

    After a write its status is given time to become healthy. With `only_to` one that delivers elsewhere is left alone.
    """
    for tries in range(1, ROUNDS + 1):
        held = _read(course)
        if held and only_to and not delivers_to(held.destination, only_to):
            left = f"left: it delivers to {held_destination(held.destination)}"
            return Report(course.key, ", then ".join([*course.done, left]), True)
        step = step_towards(course.wanted, held)
        if step is None and (held is None or held.status == HEALTHY or not course.done):
            break
        if step is not None and _written(course, step) and tries <= 2:
            continue
        pause_s = min(_LONGEST_WAIT_S, wait_s(tries, None, course.project.rng()))
        if course.budget.remaining_s <= pause_s:
            break
        course.budget.sleep(pause_s)
    if step is None:
        return _ended(course, held)
    raise NotSettled(f"after {tries} tries it is not as wanted ({described(step)}); something else may be changing it as well")


def _ended(course: _Course, held: Held | None) -> Report:
    """Where a write was tried and none was acknowledged, somebody else was faster, or the answer was lost.

    What passes by itself is no failure where nothing was written: a deployment did not bring it about, nor would another mend it.
    """
    done = ", then ".join(course.done) or ("as wanted now" if course.tried else "")
    if course.wanted is None or held is None:
        return Report(course.key, done or "not there", True)
    ended = _by_health(course, held, done or "unchanged")
    return replace(ended, as_wanted=True) if held.status == TEMPORARY and not done else ended


def _by_health(course: _Course, held: Held, text: str) -> Report:
    if held.status == HEALTHY:
        return Report(course.key, text, True)
    next_step = after_status(held.status, held_destination(held.destination))
    return Report(course.key, f"{text}, but its status is {held.status}", False, next_step)


def _read(course: _Course) -> Held | None:
    path = f"subscriptions/key={course.key}"
    try:
        body = course.project.connection.get(path, budget=course.budget, kind=PathKind.SINGLE)
    except Gone:
        return None
    try:
        return _HELD.decode(body)
    except UNDECODABLE:
        pass
    raise unreadable("subscriptions")


def _written(course: _Course, step: Step) -> bool:
    """Write a step; False when somebody else was faster, so that it has to be read again."""
    from post_deploy import sdk

    course.tried = True
    client = sdk.ProjectClient(course.project.connection, course.project.project_id, course.budget)
    try:
        match step:
            case Create(wanted):
                sdk.create(client, wanted)
                course.done.append("created")
            case Update(wanted, version, differences):
                sdk.update(client, wanted, version, [difference.action for difference in differences])
                course.done.append(f"updated ({listed(differences)})")
            case Remove(version):
                sdk.remove(client, course.key, version)
                course.done.append("removed")
    except (VersionConflict, Gone):
        return False
    except PermanentError as error:
        if error.reason != "DuplicateField":
            raise
        return False
    return True
