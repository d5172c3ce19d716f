"""What is deleted while it is written is not there in the end, and nothing is set aside for it (decisions.md 7)."""

from __future__ import annotations

import pytest
from handled_world import HandledWorld

from sandbox.notifications.shop import Act
from shared.klaviyo.catalog import compound_id
from shared.realtime.verdict import Outcome

CATEGORIES, ITEMS = "catalog-categories", "catalog-items"


def deletion(handled: HandledWorld, category: Act, *products: Act) -> None:
    """The category is deleted, and all that says so is handled."""
    handled.done(*handled.shop.delete_category(category.resource["id"], [], [product.resource for product in products]))


def test_a_category_that_a_product_brings_back_is_taken_back(handled: HandledWorld) -> None:
    """It was deleted between the product's reading and the creation, and its own notification came before that, too."""
    shoes = handled.category("Shoes")
    product = handled.product(shoes.resource["id"])
    handled.meanwhile.before(f"POST /api/{CATEGORIES}", lambda: deletion(handled, shoes, product))
    handled.done(product)
    deleted = f"DELETE {CATEGORIES}/{shoes.resource['id']}"
    about_it = [line for line in handled.klaviyo.requests() if line.startswith((f"POST {CATEGORIES}", deleted))]
    assert about_it == [f"{deleted} 404", f"POST {CATEGORIES} 201", f"{deleted} 204"]
    assert handled.names() == {}
    assert handled.links(product.resource["id"]) == set()


def test_a_category_that_the_one_above_it_brings_back_is_taken_back(handled: HandledWorld) -> None:
    """It was deleted between the reading of the category above it and the renaming."""
    women = handled.category("Women")
    pants = handled.category("Pants", women.resource)
    handled.done(women, pants)
    renamed = handled.shop.rename_category(women.resource["id"], {"en": "Ladies"})
    path = f"PATCH /api/{CATEGORIES}/{compound_id(pants.resource['id'])}"
    handled.meanwhile.before(path, lambda: deletion(handled, pants))
    handled.done(renamed)
    assert f"PATCH {CATEGORIES}/{pants.resource['id']} 404" in handled.klaviyo.requests()
    assert handled.names() == {women.resource["id"]: "Ladies"}


def test_it_is_taken_back_also_when_the_write_fails_in_the_end(handled: HandledWorld) -> None:
    """The next delivery finds a product that has nothing to do with the category any more."""
    shoes = handled.category("Shoes")
    product = handled.product(shoes.resource["id"])

    def then() -> None:
        deletion(handled, shoes, product)
        handled.klaviyo.fault(kind="status", method="POST", path=f"/api/{ITEMS}", status=400)

    handled.meanwhile.before(f"POST /api/{CATEGORIES}", then)
    assert handled.deliver(product)[0].outcome is Outcome.DEAD_LETTERED
    assert f"POST {CATEGORIES} 201" in handled.klaviyo.requests()
    assert handled.names() == {}


@pytest.mark.parametrize("known", [False, True])
def test_a_category_that_is_there_stays_and_costs_one_look(handled: HandledWorld, known: bool) -> None:
    """Only where the product had to create it."""
    shoes = handled.category("Shoes")
    if known:
        handled.done(shoes)
    product = handled.product(shoes.resource["id"])
    handled.reads()
    handled.done(product)
    assert handled.reads() == {"product-projections/{id}": 2, "inventory": 2} | ({} if known else {"categories": 1})
    assert handled.names() == {shoes.resource["id"]: "Shoes"}
    assert handled.links(product.resource["id"]) == {compound_id(shoes.resource["id"])}


def test_a_categorys_own_notification_asks_for_nothing_more(handled: HandledWorld) -> None:
    """It is read once more afterwards in any case."""
    shoes = handled.category("Shoes")
    handled.reads()
    handled.done(shoes)
    assert handled.reads() == {"categories/{id}": 2, "categories": 2}


def test_a_category_that_vanishes_while_it_is_created_is_gone_in_the_end(handled: HandledWorld) -> None:
    """Its own notification came first, and found nothing."""
    shoes = handled.category("Shoes")
    handled.meanwhile.before(f"POST /api/{CATEGORIES}", lambda: deletion(handled, shoes))
    handled.done(shoes)
    assert handled.names() == {}


def test_a_category_that_is_deleted_between_two_answers_about_it_is_no_dead_letter(handled: HandledWorld) -> None:
    """Its notification came twice: the creation finds it there, the renaming finds it gone."""
    shoes = handled.category("Shoes")
    handled.done(shoes)
    handled.meanwhile.before(f"PATCH /api/{CATEGORIES}", lambda: deletion(handled, shoes))
    handled.done(shoes)
    assert handled.names() == {}


def test_the_item_that_vanishes_under_its_variants_comes_back_with_the_next_delivery(handled: HandledWorld) -> None:
    """At once, without another try, and without a dead letter: whoever deleted it may not have been the last."""
    product = handled.product()
    handled.meanwhile.before("POST /api/catalog-variants", lambda: handled.klaviyo.vanish("item", product.resource["id"]))
    verdict = handled.deliver(product)[0]
    assert (verdict.outcome, verdict.reason) == (Outcome.REDELIVER, "TransientError")
    assert handled.klaviyo.requests()[-1] == "POST catalog-variants 404"
    assert handled.klaviyo.requests().count("POST catalog-variants 404") == 1
    handled.done(product)
    assert len(handled.klaviyo.catalog("variant")) == 1
