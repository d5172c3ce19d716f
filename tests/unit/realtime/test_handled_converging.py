"""What is read once more after the writes decides whether they stand (decisions.md 7)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from handled_world import HandledWorld

from shared.dead_letters import DeadLetter
from shared.errors import Host, PermanentError
from shared.realtime.verdict import Outcome, Verdict

ITEMS, VARIANTS = "catalog-items", "catalog-variants"


class RefusingStore:
    """A store of dead letters that takes none."""

    def add(self, _letter: DeadLetter, _budget: object) -> None:
        raise PermanentError("InvalidInput", host=Host.COMMERCETOOLS, status=400)


def test_a_change_that_makes_no_difference_is_no_move(handled: HandledWorld) -> None:
    """Stock of a channel that nobody chose changes at each look, and the product is sent once."""
    product = handled.product()
    sku = product.resource["masterData"]["current"]["masterVariant"]["sku"]
    entry = handled.shop.create_entry(sku, 5, "11111111-1111-4111-8111-111111111111")
    handled.meanwhile.before(f"POST /api/{ITEMS}", lambda: handled.shop.change_stock(entry.resource, 7))
    handled.done(product)
    assert [line for line in handled.klaviyo.requests() if ITEMS in line and not line.startswith("GET")] == [f"POST {ITEMS} 201"]


def test_after_a_refusal_the_product_is_looked_at_again(handled: HandledWorld) -> None:
    """Another instance has written a newer state in between; what was refused of the older one does not matter any more."""
    product = handled.product()

    def newer() -> None:
        handled.shop.publish_product(product.resource, name={"en": "New name"})
        handled.klaviyo.fault(kind="status", method="POST", path=f"/api/{VARIANTS}", status=400, first=1)

    handled.meanwhile.before(f"POST /api/{VARIANTS}", newer)
    handled.done(product)
    assert handled.klaviyo.stored("item", product.resource["id"])["title"] == "New name"


def test_a_refusal_of_what_has_not_moved_is_set_aside(handled: HandledWorld) -> None:
    """Nothing else would come of sending it again."""
    product = handled.product()
    handled.klaviyo.fault(kind="status", method="POST", path=f"/api/{ITEMS}", status=400)
    assert handled.deliver(product)[0].outcome is Outcome.DEAD_LETTERED


def test_what_was_written_without_a_second_look_goes_at_the_next_delivery(handled: HandledWorld) -> None:
    """The look failed, the deletion was handled before the late write, and the notification comes again."""
    category = handled.category("Shoes")
    gone = handled.shop.delete_category

    def deleted() -> None:
        handled.done(*gone(category.resource["id"], [], []))
        handled.fails({"kind": "status", "status": 503, "endpoint": "categories/{id}"})

    handled.meanwhile.before("POST /api/catalog-categories", deleted)
    assert handled.deliver(category)[0].outcome is Outcome.REDELIVER
    assert handled.names() == {category.resource["id"]: "Shoes"}
    handled.fails()
    handled.done(category)
    assert handled.names() == {}


def test_a_profile_made_in_an_earlier_round_is_still_a_made_one(handled: HandledWorld) -> None:
    """The customer changed after the first write, and was deleted after the second: nothing of them stays."""
    customer = handled.shop.create_customer(email="ann@example.com")
    customer_id = customer.resource["id"]
    handled.meanwhile.after("POST /api/profile-import", lambda: handled.shop.change_customer(customer_id, firstName="Ann"))
    handled.meanwhile.after("POST /api/profile-import", lambda: handled.shop.delete_customer(customer_id))
    handled.done(customer)
    assert [line for line in handled.klaviyo.requests() if "profile-import" in line] == [
        "POST profile-import 201",
        "POST profile-import 200",
    ]
    assert "POST data-privacy-deletion-jobs 202" in handled.klaviyo.requests()


def test_an_erasure_that_was_set_aside_erases_when_it_is_replayed(handled: HandledWorld) -> None:
    """The letter remembers that it was asked for."""
    customer = handled.shop.create_customer(email="ann@example.com")
    handled.done(customer)
    handled.klaviyo.fault(kind="status", method="POST", path="/api/data-privacy", status=400, first=1)
    deleted = handled.shop.delete_customer(customer.resource["id"], data_erasure=True)
    assert Outcome.DEAD_LETTERED in [verdict.outcome for verdict in handled.deliver(deleted)]
    assert [verdict.outcome for verdict in handled.replay()] == [Outcome.DONE]
    assert "POST data-privacy-deletion-jobs 202" in handled.klaviyo.requests()


def test_an_order_that_was_set_aside_is_placed_whatever_became_of_it(handled: HandledWorld) -> None:
    """Its state was one that places when the notification was sent."""
    order = handled.order(handled.product().resource, email="ann@example.com")
    handled.klaviyo.fault(kind="status", method="POST", path="/api/events", status=400, first=2)
    assert Outcome.DEAD_LETTERED in [verdict.outcome for verdict in handled.deliver(order)]
    handled.shop.change_order_state(order.resource, "Confirmed")
    assert [verdict.outcome for verdict in handled.replay()] == [Outcome.DONE]
    assert handled.metrics()[2:] == ["Placed Order", "Ordered Product"]
    assert handled.klaviyo.requests()[-2:] == ["POST events 202", "POST events 202"]


def test_a_store_that_refuses_a_letter_does_not_make_the_message_go_round(
    handled: HandledWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log has the pointer, and the message is acknowledged."""
    product = handled.product()
    handled.app = replace(handled.app, dead_letters=RefusingStore())  # type: ignore[arg-type] # adding is all it is asked for
    handled.klaviyo.fault(kind="status", method="POST", path=f"/api/{ITEMS}", status=400)
    assert handled.deliver(product)[0] == Verdict(Outcome.DEAD_LETTERED, "invalid")
    assert product.resource["id"] in capsys.readouterr().err


def test_a_sku_that_another_product_has_taken_over_stays_with_it(handled: HandledWorld) -> None:
    """The late deletion of its old product takes it away in Klaviyo, and the new product gets it back."""
    old = handled.product()
    handled.done(old)
    sku = old.resource["masterData"]["current"]["masterVariant"]["sku"]
    gone = handled.shop.delete_product(old.resource)
    new = handled.product(sku=sku)
    handled.meanwhile.before(f"DELETE /api/{VARIANTS}", lambda: handled.done(new))
    handled.done(*gone)
    assert handled.klaviyo.catalog("variant")[sku].item.external_id == new.resource["id"]
