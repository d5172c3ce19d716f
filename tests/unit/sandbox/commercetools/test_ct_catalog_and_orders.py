"""Categories, products, projections, stock, prices, orders, payments and discount codes over REST and GraphQL."""

import json
from typing import Any

import pytest

from sandbox.sample.customers import default_malformed_emails
from sandbox.sample.kinds import rows, sample_kinds
from sandbox.sample.products import projection

KINDS = sample_kinds(default_malformed_emails(300))


def sample(name: str) -> list[dict[str, Any]]:
    """All rows of a kind at the demo's scale."""
    return list(rows(KINDS[name], 7, KINDS[name].default_size))


PRODUCTS = sample("products")
ORDERS = sample("orders")
PUBLISHED = [row for row in PRODUCTS if row["masterData"]["published"]]


def scan(ct: Any, path: str, **params: Any) -> list[dict[str, Any]]:
    """All resources of a collection in id order, by the cursor."""
    found: list[dict[str, Any]] = []
    while page := ct.page(path, limit=200, sort="id asc", where=f'id > "{last_id(found)}"', **params)["results"]:
        found += page
    return found


def last_id(found: list[dict[str, Any]]) -> str:
    """The id behind which to go on."""
    return str(found[-1]["id"]) if found else "00000000-0000-0000-0000-000000000000"


SCANNED = ["categories", "products", "inventory", "standalone-prices", "orders", "payments", "discount-codes"]


@pytest.mark.parametrize("name", SCANNED)
def test_every_kind_serves_the_sample(ct: Any, name: str) -> None:
    """A scan reads all of a kind, and the total says how many there are."""
    wanted = sample(name)
    assert scan(ct, f"/{name}") == wanted
    assert ct.page(f"/{name}", limit=1)["total"] == len(wanted)
    assert ct.get(f"/{name}/{wanted[0]['id']}").json() == wanted[0]


@pytest.mark.parametrize("name", ["categories", "products", "payments", "product-types", "discount-codes"])
def test_keys_lead_to_their_resource(ct: Any, name: str) -> None:
    """By key: the same resource; a key that nothing has is a 404."""
    wanted = next(row for row in sample(name) if "key" in row)
    assert ct.get(f"/{name}/key={wanted['key']}").json() == wanted
    assert ct.get(f"/{name}/key=nobody").status_code == 404


def test_orders_are_found_by_their_number(ct: Any) -> None:
    """Also where the number holds a slash; orders have no key, and other kinds no number."""
    plain = next(row for row in ORDERS if "orderNumber" in row)
    odd = next(row for row in ORDERS if "/" in row.get("orderNumber", ""))
    assert ct.get(f"/orders/order-number={plain['orderNumber']}").json() == plain
    assert ct.get(f"/orders/order-number={odd['orderNumber'].replace('/', '%2F')}").json() == odd
    assert ct.get("/orders/order-number=none").status_code == 404
    assert ct.get(f"/orders/key={plain['orderNumber']}").status_code == 404
    assert ct.get("/categories/order-number=1").status_code == 404
    tally = {entry["endpoint"] for entry in ct.send("GET", "/_sandbox/requests").json()["requests"]}
    assert "orders/order-number={orderNumber}" in tally


def test_projections_are_those_of_published_products(ct: Any) -> None:
    """By default: current data of what is published; the total counts only these."""
    assert scan(ct, "/product-projections") == [projection(row, staged=False) for row in PUBLISHED]
    assert ct.page("/product-projections", limit=1, staged="false")["total"] == len(PUBLISHED) == 180
    hidden = next(row for row in PRODUCTS if not row["masterData"]["published"])
    assert ct.get(f"/product-projections/{hidden['id']}").status_code == 404
    assert ct.get(f"/product-projections/key={hidden['key']}").status_code == 404


def test_staged_projections_are_those_of_all_products(ct: Any) -> None:
    """With staged=true: staged data, unpublished products included."""
    assert scan(ct, "/product-projections", staged="true") == [projection(row, staged=True) for row in PRODUCTS]
    changed = next(row for row in PRODUCTS if row["masterData"]["hasStagedChanges"])
    one = ct.get(f"/product-projections/{changed['id']}", staged="true").json()
    assert one["name"] == changed["masterData"]["staged"]["name"]
    assert ct.get(f"/product-projections/{changed['id']}").json()["name"] != one["name"]


@pytest.mark.parametrize("params", [{"staged": "yes"}, {"staged": ["true", "true"]}, {"priceCurrency": "EUR"}])
def test_parameters_of_projections_are_checked(ct: Any, params: dict[str, Any]) -> None:
    """`staged` is a boolean; price selection is not served, so it is refused. Other kinds have neither."""
    assert ct.get("/product-projections", **params).status_code == 400
    assert ct.get("/products", **params).status_code == 400
    assert ct.get(f"/product-projections/{PUBLISHED[0]['id']}", **params).status_code == 400


def test_a_product_that_changes_changes_its_projection(ct: Any) -> None:
    """Published, unpublished, removed: the projections and their total follow at once."""
    shown = PUBLISHED[0]
    master = {**shown["masterData"], "published": False}
    assert ct.send("PATCH", f"/_sandbox/products/{shown['id']}", json={"masterData": master}).status_code == 200
    assert ct.get(f"/product-projections/{shown['id']}").status_code == 404
    assert ct.page("/product-projections", limit=1)["total"] == 179
    hidden = next(row for row in PRODUCTS if not row["masterData"]["published"])
    master = {**hidden["masterData"], "published": True}
    ct.send("PATCH", f"/_sandbox/products/{hidden['id']}", json={"masterData": master})
    assert ct.get(f"/product-projections/{hidden['id']}").json()["version"] == hidden["version"] + 1
    assert ct.page("/product-projections", where=f'id = "{hidden["id"]}"')["count"] == 1
    assert ct.get(f"/product-projections/key={hidden['key']}").status_code == 200
    ct.send("DELETE", f"/_sandbox/products/{PUBLISHED[1]['id']}")
    assert ct.page("/product-projections", limit=1)["total"] == len(scan(ct, "/product-projections")) == 179
    newest = ct.page("/product-projections", limit=1, sort=["lastModifiedAt desc", "id desc"])["results"]
    assert newest[0]["id"] == hidden["id"]


def test_projections_cannot_be_changed_themselves(ct: Any) -> None:
    """They follow the products."""
    identifier = PUBLISHED[0]["id"]
    assert ct.send("POST", "/_sandbox/product-projections", json={}).status_code == 400
    assert ct.send("PATCH", f"/_sandbox/product-projections/{identifier}", json={}).status_code == 400
    assert ct.send("DELETE", f"/_sandbox/product-projections/{identifier}").status_code == 400


def test_categories_show_parent_and_ancestors_where_asked(ct: Any) -> None:
    """`obj` in the references that `expand` names."""
    by_id = {row["id"]: row for row in sample("categories")}
    for row in ct.page("/categories", limit=500, expand=["ancestors[*]", "parent"])["results"]:
        assert [reference["obj"] for reference in row["ancestors"]] == [by_id[r["id"]] for r in row["ancestors"]]
        if "parent" in row:
            assert row["parent"]["obj"] == by_id[row["parent"]["id"]]
    projections = ct.page("/product-projections", limit=5, expand=["categories[*]", "productType"])["results"]
    assert all(c["obj"] == by_id[c["id"]] for row in projections for c in row["categories"])
    assert all(row["productType"]["obj"]["key"] in ("apparel", "hardware") for row in projections)


def test_a_path_may_go_on_behind_a_reference(ct: Any) -> None:
    """`categories[*].parent` expands the categories and their parents; further paths add to what is expanded."""
    by_id = {row["id"]: row for row in sample("categories")}
    page = ct.page("/product-projections", limit=20, expand=["categories[*].parent", "categories[*].ancestors[*]"])
    shown = [reference["obj"] for row in page["results"] for reference in row["categories"]]
    assert all(c["parent"]["obj"] == by_id[c["parent"]["id"]] for c in shown if "parent" in c)
    assert all(a["obj"] == by_id[a["id"]] for c in shown for a in c["ancestors"])
    assert any(c["ancestors"] for c in shown)
    assert ct.get("/product-projections", expand="categories[*].parents").status_code == 400


def test_orders_show_payments_and_discount_codes_where_asked(ct: Any) -> None:
    """`paymentInfo.payments[*]` and `discountCodes[*].discountCode`; a code that was deleted stays a reference."""
    payments = {row["id"]: row for row in sample("payments")}
    codes = {row["id"]: row for row in sample("discount-codes")}
    page = ct.page("/orders", limit=500, expand=["paymentInfo.payments[*]", "discountCodes[*].discountCode"])
    expanded = [info["discountCode"] for row in page["results"] for info in row["discountCodes"]]
    assert all(reference.get("obj") == codes.get(reference["id"]) for reference in expanded)
    assert any("obj" not in reference for reference in expanded)
    for row in page["results"]:
        for reference in row.get("paymentInfo", {"payments": []})["payments"]:
            assert reference["obj"] == payments[reference["id"]]


def test_the_order_of_a_payment_is_found(make_simulator: Any) -> None:
    """By predicate, without looking through the orders; also one that was changed; none for an unknown payment."""
    ct = make_simulator(scan_limit=5).login()
    order = next(row for row in ORDERS if len(row.get("paymentInfo", {"payments": []})["payments"]) == 3)
    wanted = order["paymentInfo"]["payments"][1]["id"]
    where = f'paymentInfo(payments(id="{wanted}"))'
    assert [row["id"] for row in ct.page("/orders", where=where)["results"]] == [order["id"]]
    both = [where, f'paymentInfo(payments(id="{order["paymentInfo"]["payments"][0]["id"]}"))']
    assert [row["id"] for row in ct.page("/orders", where=both)["results"]] == [order["id"]]
    other = next(row for row in ORDERS if "paymentInfo" not in row)
    moved = {"paymentInfo": {"payments": [{"typeId": "payment", "id": wanted}]}}
    ct.send("PATCH", f"/_sandbox/orders/{other['id']}", json=moved)
    ct.send("PATCH", f"/_sandbox/orders/{order['id']}", json={"paymentInfo": None})
    assert [row["id"] for row in ct.page("/orders", where=where)["results"]] == [other["id"]]
    nothing = 'paymentInfo(payments(id="00000000-0000-4000-8000-000000000000"))'
    assert ct.page("/orders", where=nothing)["results"] == []


def test_stock_and_prices_are_found_by_sku(make_simulator: Any) -> None:
    """One SKU or several, without looking through all entries; SKUs with odd letters too."""
    ct = make_simulator(scan_limit=30).login()
    entries = sample("inventory")
    odd = next(row["sku"] for row in entries if "ü" in row["sku"])
    some = [odd, entries[40]["sku"], "SKU-000000-99"]
    wanted = [row for row in entries if row["sku"] in some]
    assert ct.page("/inventory", where="sku in :skus", sort="id asc", **{"var.skus": some})["results"] == wanted
    prices = sample("standalone-prices")
    found = ct.page("/standalone-prices", where=f'sku = "{prices[0]["sku"]}" and active = true', sort="id asc")
    assert found["results"] == [row for row in prices if row["sku"] == prices[0]["sku"] and row["active"]]


def refunded(payment: dict[str, Any]) -> bool:
    """Whether money went back."""
    return any((t["type"], t["state"]) == ("Refund", "Success") for t in payment["transactions"])


def master(product: dict[str, Any]) -> dict[str, Any]:
    """A product's master data."""
    found: dict[str, Any] = product["masterData"]
    return found


def differs(product: dict[str, Any]) -> bool:
    """Whether a shop does not show what the editors see."""
    return not master(product)["published"] or bool(master(product)["hasStagedChanges"])


def changed_with_key(product: dict[str, Any]) -> bool:
    """Whether a product has staged changes and a key."""
    return "key" in product and bool(master(product)["hasStagedChanges"])


def without_sku(product: dict[str, Any]) -> bool:
    """Whether the master variant has no SKU."""
    return "sku" not in master(product)["current"]["masterVariant"]


@pytest.mark.parametrize(
    ("path", "where", "test"),
    [
        ("/orders", 'orderState = "Cancelled"', lambda o: o["orderState"] == "Cancelled"),
        ("/orders", "customerEmail is defined", lambda o: "customerEmail" in o),
        ("/orders", 'store(key = "online")', lambda o: o.get("store", {}).get("key") == "online"),
        ("/orders", 'lineItems(variant(sku = "SKU-000001-1"))', lambda o: '"SKU-000001-1"' in json.dumps(o)),
        ("/orders", "totalPrice(centAmount > 50000)", lambda o: o["totalPrice"]["centAmount"] > 50_000),
        ("/products", "masterData(published = true)", lambda p: master(p)["published"]),
        ("/products", "masterData(published = false or hasStagedChanges = true)", differs),
        ("/products", 'masterData(published = true) and priceMode = "Standalone"', lambda p: p["priceMode"] == "Standalone"),
        ("/products", "masterData(hasStagedChanges = true) and key is defined", changed_with_key),
        ("/products", "masterData(current(masterVariant(sku is not defined)))", without_sku),
        ("/inventory", "supplyChannel is not defined", lambda e: "supplyChannel" not in e),
        ("/inventory", "availableQuantity < 0", lambda e: e["availableQuantity"] < 0),
        ("/payments", 'transactions(type = "Refund" and state = "Success")', refunded),
        ("/categories", "parent is not defined", lambda c: "parent" not in c),
    ],
)
def test_predicates_find_what_they_say(ct: Any, path: str, where: str, test: Any) -> None:
    """The same rows as a look at the whole sample."""
    found = ct.page(path, where=where, limit=500, sort="id asc")["results"]
    assert [row["id"] for row in found] == [row["id"] for row in sample(path[1:]) if test(row)][:500]
    assert found


def test_graphql_pages_of_ids(ct: Any) -> None:
    """Ids and totals of orders, categories, products and stock; published products only where asked."""
    query = """query($w: String) {
      orders(sort: "id asc", limit: 500) { total results { id } }
      categories(sort: "id asc", limit: 500) { total results { id key parent { id } ancestorsRef { id } } }
      products(sort: "id asc", limit: 500, where: $w) { total results { id masterData { published } } }
      inventoryEntries(limit: 1) { total }
    }"""
    data = ct.graph(query, {"w": "masterData(published=true)"}).json()["data"]
    assert data["orders"] == {"total": 500, "results": [{"id": row["id"]} for row in ORDERS]}
    assert data["products"]["total"] == 180
    assert data["products"]["results"] == [{"id": row["id"], "masterData": {"published": True}} for row in PUBLISHED]
    assert data["inventoryEntries"]["total"] == len(sample("inventory"))
    assert data["categories"]["results"] == [
        {
            "id": row["id"],
            "key": row.get("key"),
            "parent": {"id": row["parent"]["id"]} if "parent" in row else None,
            "ancestorsRef": [{"id": reference["id"]} for reference in row["ancestors"]],
        }
        for row in sample("categories")
    ]


def test_graphql_sorts_by_the_last_change(ct: Any) -> None:
    """Oldest first, ids decide between equals."""
    query = '{ orders(sort: ["lastModifiedAt asc", "id asc"], limit: 500) { results { id lastModifiedAt } } }'
    found = [(row["lastModifiedAt"], row["id"]) for row in ct.graph(query).json()["data"]["orders"]["results"]]
    assert found == sorted((row["lastModifiedAt"], row["id"]) for row in ORDERS)


def test_graphql_finds_one_order(ct: Any) -> None:
    """By id or number, with states and references to payments."""
    wanted = next(row for row in ORDERS if "orderNumber" in row and "paymentInfo" in row)
    query = (
        "query($n: String) { order(orderNumber: $n) { id orderState shipmentState paymentInfo { paymentRefs { typeId id } } } }"
    )
    assert ct.graph(query, {"n": wanted["orderNumber"]}).json()["data"]["order"] == {
        "id": wanted["id"],
        "orderState": wanted["orderState"],
        "shipmentState": wanted.get("shipmentState"),
        "paymentInfo": {"paymentRefs": wanted["paymentInfo"]["payments"]},
    }


STAGED = "/product-projections?staged=true"
ONE_PRODUCT = f"/products/{PRODUCTS[0]['id']}"


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        ("view_orders", ["/orders"], ["/payments", "/discount-codes", "/products", "/customers"]),
        ("view_payments", ["/payments"], ["/orders"]),
        ("view_discount_codes", ["/discount-codes"], ["/orders"]),
        ("view_standalone_prices", ["/standalone-prices"], ["/products"]),
        ("view_categories", ["/categories"], ["/products", "/inventory"]),
        ("view_product_types", ["/product-types"], ["/products"]),
        ("view_products", ["/product-types", "/inventory", "/categories", STAGED, ONE_PRODUCT], ["/standalone-prices"]),
        ("view_published_products", ["/products", "/product-projections"], ["/inventory", STAGED, ONE_PRODUCT]),
    ],
)
def test_scopes_decide_what_may_be_read(make_simulator: Any, scope: str, allowed: list[str], refused: list[str]) -> None:
    """Each kind has its own scopes; what is staged needs more than what is published."""
    ct = make_simulator(scopes=(scope,)).login()
    assert [ct.call("GET", path).status_code for path in allowed] == [200] * len(allowed)
    assert [ct.call("GET", path).status_code for path in refused] == [403] * len(refused)


def test_a_project_without_products_and_orders_has_none(make_simulator: Any) -> None:
    """Sizes of nought: empty pages, and customers as ever."""
    ct = make_simulator(sizes={"categories": 0, "products": 0, "orders": 0}).login()
    for name in ("categories", "products", "product-projections", "inventory", "standalone-prices", "orders", "payments"):
        assert (ct.page(f"/{name}")["total"], ct.page(f"/{name}")["results"]) == (0, [])
    assert ct.page("/customers")["total"] == 300
    missing = "00000000-0000-4000-8000-000000000000"
    assert ct.page("/orders", where=f'paymentInfo(payments(id="{missing}"))')["results"] == []
    assert ct.page("/inventory", where='sku = "SKU-000001-1"')["results"] == []


def test_a_large_project_answers_at_once(make_simulator: Any) -> None:
    """Sizes are parameters; a page anywhere in a hundred thousand orders needs no table."""
    ct = make_simulator(
        sizes={"orders": 100_000, "products": 10_000, "categories": 500}, variants=5, lines=3, scan_limit=300
    ).login()
    page = ct.page("/orders", limit=20, sort="id asc", withTotal="false", where='id > "80000000-0000-0000-0000-000000000000"')
    assert {len(row["lineItems"]) for row in page["results"]} == {3}
    product = ct.get(f"/products/{next(i for i in products_of(page) if ct.get(f'/products/{i}').status_code == 200)}").json()
    assert len(product["masterData"]["current"]["variants"]) == 4
    payment = next(row["paymentInfo"]["payments"][0]["id"] for row in page["results"] if "paymentInfo" in row)
    found = ct.page("/orders", where=f'paymentInfo(payments(id="{payment}"))')["results"]
    assert len(found) == 1


def products_of(page: dict[str, Any]) -> list[str]:
    """The products that a page of orders names."""
    return [line["productId"] for row in page["results"] for line in row["lineItems"]]
