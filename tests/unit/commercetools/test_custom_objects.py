"""Custom objects with versions."""

from __future__ import annotations

import httpx
import pytest
from fake_commercetools import Clock, FakeProject, error_body

from shared.commercetools import custom_objects
from shared.commercetools.verdict import Forbidden, VersionConflict
from shared.errors import AuthError, HostDown
from shared.outcomes import PathKind


@pytest.fixture
def project() -> FakeProject:
    return FakeProject(Clock())


def test_what_is_absent_reads_as_none(project: FakeProject) -> None:
    """404 is an answer, not an error, for reading and deleting."""
    client, budget = project.client(), project.clock.budget()
    assert custom_objects.get(client, "c", "k", budget=budget) is None
    assert custom_objects.delete(client, "c", "k", budget=budget) is None


def test_a_write_raises_the_version_and_a_stale_one_conflicts(project: FakeProject) -> None:
    """Compare-and-set: only the version that was read can be replaced or deleted."""
    client, budget = project.client(), project.clock.budget()
    assert custom_objects.put(client, "c", "k", {"n": 1}, budget=budget).version == 1
    assert custom_objects.put(client, "c", "k", {"n": 2}, version=1, budget=budget).version == 2
    with pytest.raises(VersionConflict):
        custom_objects.put(client, "c", "k", {"n": 3}, version=1, budget=budget)
    with pytest.raises(VersionConflict):
        custom_objects.delete(client, "c", "k", version=1, budget=budget)
    found = custom_objects.get(client, "c", "k", budget=budget)
    assert found is not None
    assert (found.version, found.value) == (2, {"n": 2})
    removed = custom_objects.delete(client, "c", "k", version=2, budget=budget)
    assert removed is not None
    assert custom_objects.get(client, "c", "k", budget=budget) is None


def test_without_a_version_the_last_writer_wins(project: FakeProject) -> None:
    """As documented: an upsert."""
    client, budget = project.client(), project.clock.budget()
    custom_objects.put(client, "c", "k", 1, budget=budget)
    assert custom_objects.put(client, "c", "k", 2, budget=budget).version == 2


def test_a_missing_scope_is_forbidden_only_for_dead_letters(project: FakeProject) -> None:
    """Elsewhere it halts."""
    client, budget = project.client(), project.clock.budget()
    project.script = [error_body(403, "insufficient_scope"), error_body(403, "insufficient_scope")]
    with pytest.raises(Forbidden):
        custom_objects.put(client, "c", "k", 1, budget=budget, kind=PathKind.DEAD_LETTERS)
    with pytest.raises(AuthError):
        custom_objects.put(client, "c", "k", 1, budget=budget)


def test_names_outside_the_alphabet_are_refused_before_anything_is_sent(project: FakeProject) -> None:
    """A slash would name another resource."""
    for name in ("a/b", "", "ä", "x" * 257):
        with pytest.raises(ValueError, match="container or key"):
            custom_objects.get(project.client(), "c", name, budget=project.clock.budget())
    assert not project.requests


@pytest.mark.parametrize("body", [b"<html>", b'{"container": "c", "key": "\xff"}', b'{"value": ' + b"[" * 100_000])
def test_an_unreadable_answer_is_transient(project: FakeProject, body: bytes) -> None:
    """It may be a proxy's."""
    project.script = [httpx.Response(200, content=body)] * 2
    with pytest.raises(HostDown):
        custom_objects.get(project.client(), "c", "k", budget=project.clock.budget())
    with pytest.raises(HostDown):
        custom_objects.oldest(project.client(), "c", 1, budget=project.clock.budget())
