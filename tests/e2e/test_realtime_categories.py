"""Categories (cases 59 to 62): breadcrumbs, created or renamed together with all below them.

The category is read before and after the writes, and so is all that is below it (decisions.md 7).
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.platform import change, without_payload
from tests.e2e.realtime_requests import (
    CATEGORIES,
    delete,
    find_categories,
    has_category,
    in_any_order,
    klaviyo_loses,
    much_is_prepared,
    post_category,
    rename_category,
    said,
)
from tests.e2e.realtime_resources import category
from tests.e2e.realtime_world import World, stamp

READ_TWICE = {"GET categories 200": 2, "GET categories/{id} 200": 2}
BELOW = 120
DELAY_S = 1.0


def _tree(world: World, *names: str) -> list[dict[str, Any]]:
    """Categories, each below the one before."""
    made: list[dict[str, Any]] = []
    for name in names:
        made.append(world.put("categories", **category(name, *(above["id"] for above in made))))
    return made


def _names(world: World) -> dict[str, str]:
    return {identifier: held["attributes"]["name"] for (_, identifier), held in world.catalog().items()}


def _updated(world: World, held: dict[str, Any], status: int = 204) -> None:
    assert world.deliver(change("ResourceUpdated", "category", held, stamp())).status == status


@pytest.mark.parametrize("with_payload", [True, False], ids=["whole", "payload not included"])
def test_a_new_category_is_created_under_its_breadcrumb(world: World, with_payload: bool) -> None:
    """Case 59: two ancestors: the category is read, and created as "A > B > C"; so it is where the payload was left out."""
    *_, lowest = _tree(world, "A", "B", "C")
    created = messages.category_created(lowest, stamp())
    assert world.deliver(created if with_payload else without_payload(created)).status == 204
    assert world.sent() == [post_category(lowest["id"], "A > B > C")]
    assert world.reads() == READ_TWICE
    assert _names(world) == {lowest["id"]: "A > B > C"}
    assert world.outcomes() == [("CategoryCreated", "done", None)]


def test_a_category_that_is_there_already_is_renamed_instead(world: World) -> None:
    """Case 60: delivered again, Klaviyo answers 409: PATCH, and 204 where the older product answered 202."""
    (held,) = _tree(world, "Shoes")
    has_category(world, held["id"], "Boots")
    assert world.deliver(messages.category_created(held, stamp())).status == 204
    assert world.sent() == [post_category(held["id"], "Shoes", 409), rename_category(held["id"], "Shoes")]
    assert _names(world) == {held["id"]: "Shoes"}
    assert world.dead_letters() == []


def test_a_changed_category_that_klaviyo_has_is_renamed(world: World) -> None:
    """Case 61: looked up by its compound id, and patched."""
    (held,) = _tree(world, "Shoes")
    has_category(world, held["id"], "Boots")
    _updated(world, held)
    assert world.sent() == [find_categories(held["id"]), rename_category(held["id"], "Shoes")]
    assert world.reads() == READ_TWICE
    assert _names(world) == {held["id"]: "Shoes"}


def test_a_changed_category_that_klaviyo_does_not_have_is_created(world: World) -> None:
    """Case 61: not found, so it is posted."""
    (held,) = _tree(world, "Shoes")
    _updated(world, held)
    assert world.sent() == [find_categories(held["id"]), post_category(held["id"], "Shoes")]
    assert _names(world) == {held["id"]: "Shoes"}


def test_a_category_whose_name_is_right_already_is_left_alone(world: World) -> None:
    """Not in the older product, which patches it: a change of anything but the name costs one look-up."""
    (held,) = _tree(world, "Shoes")
    has_category(world, held["id"], "Shoes")
    _updated(world, held)
    assert world.sent() == [find_categories(held["id"])]


def test_a_category_that_vanishes_between_look_up_and_update_is_created(world: World) -> None:
    """Case 61: somebody deletes it in Klaviyo meanwhile; a 404 of the PATCH turns it into a creation."""
    (held,) = _tree(world, "Shoes")
    has_category(world, held["id"], "Boots")
    with world.klaviyo_holds(lambda: _updated(world, held), path=CATEGORIES, method="PATCH"):
        assert world.sent() == [find_categories(held["id"])]
        klaviyo_loses(world, CATEGORIES, held["id"])
    assert [sent for sent in world.sent() if sent.method != "DELETE"] == [
        find_categories(held["id"]),
        rename_category(held["id"], "Shoes", 404),
        post_category(held["id"], "Shoes"),
    ]
    assert _names(world) == {held["id"]: "Shoes"}


def test_a_renamed_parent_refreshes_the_names_below_it(world: World) -> None:
    """Case 61: our own: 120 categories below, looked up in three pages; those whose names are right already are left alone."""
    (parent,) = _tree(world, "Women")
    below = [world.put("categories", **category(f"Kind {number}", parent["id"])) for number in range(BELOW)]
    beside = world.put("categories", **category("Men"))
    with much_is_prepared(world):
        has_category(world, parent["id"], "Ladies")
        has_category(world, beside["id"], "Gentlemen")
        for number, held in enumerate(below):
            has_category(world, held["id"], f"{'Ladies' if number % 3 else 'Women'} > Kind {number}")
    _updated(world, parent)
    pages = [[parent["id"], *sorted(held["id"] for held in below)][start : start + 50] for start in range(0, BELOW + 1, 50)]
    wrong = [parent, *(held for number, held in enumerate(below) if number % 3)]
    names = {parent["id"]: "Women", **{held["id"]: f"Women > {held['name']['en']}" for held in below}}
    sent = world.sent()
    assert in_any_order(sent[: len(pages)]) == in_any_order([find_categories(*page) for page in pages])
    renamed = [rename_category(held["id"], names[held["id"]]) for held in wrong]
    assert in_any_order(sent[len(pages) :]) == in_any_order(renamed)
    assert _names(world) == {**names, beside["id"]: "Gentlemen"}


def test_more_names_than_fit_one_delivery_are_finished_by_the_next_ones(world: World) -> None:
    """Our own: what was renamed before the deadline stays so and is not sent again; no answer says that it is done too early."""
    brief = world.having(REALTIME_DEADLINE_S="5")
    (parent,) = _tree(brief, "Women")
    below = [brief.put("categories", **category(f"Kind {number}", parent["id"])) for number in range(BELOW)]
    with much_is_prepared(brief):
        for held in (parent, *below):
            has_category(brief, held["id"], "Ladies")
    brief.klaviyo_fails({"kind": "delay", "seconds": DELAY_S, "path": CATEGORIES, "method": "PATCH"})
    _updated(brief, parent, status=503)
    time.sleep(2 * DELAY_S)  # for what was on its way at the deadline
    assert 0 < len(brief.sent()) < BELOW
    brief.klaviyo_fails()
    _updated(world, parent)
    assert _names(brief) == {parent["id"]: "Women", **{held["id"]: f"Women > {held['name']['en']}" for held in below}}
    patched = [said(sent)["name"] for sent in brief.sent() if sent.method == "PATCH" and sent.status == 200]
    assert len(patched) == len(set(patched)) == BELOW + 1


@pytest.mark.parametrize("known", [True, False], ids=["known to Klaviyo", "unknown to Klaviyo"])
def test_a_deleted_category_is_deleted(world: World, known: bool) -> None:
    """Case 62: DELETE without any read; 204 as well when Klaviyo answers 404, where the older product answered 202."""
    held = {"id": world.new_id(), "version": 4}
    if known:
        has_category(world, held["id"], "Shoes")
    assert world.deliver(change("ResourceDeleted", "category", held, stamp())).status == 204
    assert world.sent() == [delete(CATEGORIES, held["id"], 204 if known else 404)]
    assert (world.reads(), world.catalog(), world.dead_letters()) == ({}, {}, [])


def test_a_category_that_is_deleted_while_it_is_written_is_deleted_afterwards(world: World) -> None:
    """Our own: two instances may overtake each other, so what is gone after the write goes in Klaviyo, too."""
    (held,) = _tree(world, "Shoes")
    message = messages.category_created(held, stamp())
    with world.klaviyo_holds(lambda: world.deliver(message), path=CATEGORIES, method="POST") as delivered:
        assert world.reads() == {"GET categories 200": 1, "GET categories/{id} 200": 1}
        world.remove("categories", held["id"], meanwhile=True)
    assert delivered.result().status == 204
    assert world.sent() == [post_category(held["id"], "Shoes"), delete(CATEGORIES, held["id"])]
    assert world.catalog() == {}
