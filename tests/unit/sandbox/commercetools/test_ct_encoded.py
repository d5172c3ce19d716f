"""What is kept in its encoded form never outlives what it shows."""

from collections.abc import Callable
from typing import Any

import pytest

Simulated = Any
Make = Callable[..., Simulated]

PROJECT = {"sizes": {"customers": 5, "categories": 5, "products": 5, "orders": 20}}


@pytest.mark.parametrize("prepared", [(), ("orders", "payments")])
@pytest.mark.parametrize("collection", ["orders", "payments", "products", "product-projections"])
def test_a_page_shows_what_single_reads_show(make_simulator: Make, collection: str, prepared: tuple[str, ...]) -> None:
    """Once, and again from what was kept."""
    simulator = make_simulator(**PROJECT, prepared=prepared).login()
    pages = [simulator.page(f"/{collection}", limit=500, sort="id asc")["results"] for _ in range(2)]
    assert pages[0] == pages[1]
    assert pages[0] == [simulator.get(f"/{collection}/{row['id']}").json() for row in pages[0]]
    assert pages[0]


def test_a_change_shows_at_once_in_what_was_read_before(make_simulator: Make) -> None:
    """In the products and their projections."""
    simulator = make_simulator(**PROJECT).login()
    before = simulator.page("/product-projections", limit=500, sort="id asc")["results"]
    simulator.page("/products", limit=500)
    product = simulator.get(f"/products/{before[0]['id']}").json()
    master = {**product["masterData"], "published": False}
    simulator.send("PATCH", f"/_sandbox/products/{product['id']}", json={"masterData": master})
    assert simulator.page("/product-projections", limit=500, sort="id asc")["results"] == before[1:]
    [changed] = simulator.page("/products", where=f'id = "{product["id"]}"')["results"]
    assert changed["version"] == product["version"] + 1


def test_a_listing_shows_the_fields_that_are_asked_for(make_simulator: Make) -> None:
    """One line a resource; what it does not have is left out."""
    simulator = make_simulator(**PROJECT)
    lines = simulator.send("GET", "/_sandbox/categories?fields=id,ancestors,nothing").text.splitlines()
    assert len(lines) == 5
    assert set(simulator.send("GET", "/_sandbox/categories?fields=id,ancestors&limit=1").json()) == {"id", "ancestors"}
