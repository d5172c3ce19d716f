"""The catalog in bulk, against the simulated Klaviyo (decisions.md 8, klaviyo.md 5.2)."""

from __future__ import annotations

import httpx
import msgspec
import pytest
from catalog_doubles import CatalogWorld, a_category, a_variant, all_sent, an_item, failed, refused, row_ids

from sandbox.klaviyo.jobs import Job
from shared.errors import AuthError, Interrupted, TransientError
from shared.klaviyo.catalog import compound_id
from shared.klaviyo.catalog_requests import encode_new_variant
from shared.klaviyo.jobs import JobLost
from shared.klaviyo.row_outcomes import ROW_TOO_LARGE, UNNAMED_ERROR, Failed, Sent
from shared.slots import Slots

ITEM_CREATES = "catalog-item-bulk-create-jobs"
VARIANT_CREATES = "catalog-variant-bulk-create-jobs"


def test_categories_items_and_variants_are_created() -> None:
    """Each kind by jobs of its own; the links are there."""
    world = CatalogWorld()
    assert all_sent(world.catalog.put_categories([a_category(1), a_category(2)], (), world.soon))
    outcomes = world.catalog.put_items([an_item(1, categories=("c1", "c2"))], (), world.soon)
    assert outcomes.outcomes == {"p1": Sent()}
    assert len(outcomes.job_ids) == 1
    assert all_sent(world.catalog.put_variants([a_variant(1), a_variant(2)], (), world.soon))
    item = world.shelf("item")["p1"]
    assert {entry.external_id for entry in item.categories.values()} == {"c1", "c2"}
    assert {entry.external_id for entry in item.members.values()} == {"s1", "s2"}


def test_what_is_there_is_updated() -> None:
    """By the ids named; both directions in one call."""
    world = CatalogWorld()
    world.with_items(1)
    outcomes = world.catalog.put_items([an_item(1, title="New"), an_item(2)], {"p1"}, world.soon)
    assert list(outcomes.outcomes) == ["p1", "p2"]
    assert all_sent(outcomes)
    assert world.shelf("item")["p1"].attributes()["title"] == "New"
    assert world.jobs_asked("update", "item") == 1


def test_nothing_to_write_asks_nothing() -> None:
    """An empty call."""
    world = CatalogWorld()
    assert world.catalog.put_items([], (), world.soon).outcomes == {}
    assert world.catalog.delete_variants([], world.soon).outcomes == {}
    assert not world.between.asked


def test_more_than_a_hundred_rows_go_in_several_jobs() -> None:
    """A job takes a hundred; all are in progress at the same time."""
    world = CatalogWorld()
    begun = world.time.monotonic()
    outcomes = world.catalog.put_items([an_item(number) for number in range(250)], (), world.soon)
    assert all_sent(outcomes)
    assert len(outcomes.outcomes) == 250
    assert sorted(rows for _, rows in world.between.starts) == [50, 100, 100]
    assert len(outcomes.job_ids) == 3
    assert world.time.monotonic() - begun < 4


def test_a_body_stays_below_five_megabytes() -> None:
    """Rows of nearly 100 KB: fewer than a hundred a job."""
    world = CatalogWorld()
    large = [an_item(number, custom_metadata={"note": "x" * 95_000}) for number in range(100)]
    assert all_sent(world.catalog.put_items(large, (), world.soon))
    assert sorted(rows for _, rows in world.between.starts) == [6, 47, 47]


def test_a_row_that_no_body_may_hold_fails_alone() -> None:
    """The others go."""
    world = CatalogWorld()
    outcomes = world.catalog.put_items([an_item(1, description="x" * 4_600_000), an_item(2)], (), world.soon)
    assert outcomes.outcomes == {"p1": Failed(ROW_TOO_LARGE), "p2": Sent()}


def test_what_exists_already_is_updated_instead() -> None:
    """A create job's row that fails on what exists."""
    world = CatalogWorld()
    world.with_items(1, 3)
    outcomes = world.catalog.put_items([an_item(number, title="New") for number in range(5)], (), world.soon)
    assert all_sent(outcomes)
    assert {entry.attributes()["title"] for entry in world.shelf("item").values()} == {"New"}
    assert world.jobs_asked("create", "item") == 2
    assert world.jobs_asked("update", "item") == 1


def test_what_is_missing_is_created_instead() -> None:
    """An update job's row that fails on what is gone."""
    world = CatalogWorld()
    assert all_sent(world.catalog.put_categories([a_category(1)], {"c1"}, world.soon))
    assert world.shelf("category")["c1"].attributes()["name"] == "Category 1"


def test_an_object_that_comes_and_goes_fails_in_the_end() -> None:
    """A row is sent three times, not for ever."""
    world = CatalogWorld()
    world.with_items(1)
    shelf = world.account.catalog.shelves["item"]

    def spoil(request: httpx.Request) -> None:
        if request.url.path.endswith("update-jobs") and "p1" in world.shelf("item"):
            shelf.remove(shelf.get(compound_id("p1")))
        elif request.url.path.endswith("create-jobs") and "p1" not in world.shelf("item"):
            shelf.add("p1", 0.0)

    world.between.spoil = spoil
    outcomes = world.catalog.put_items([an_item(1)], (), world.soon)
    assert failed(outcomes)["p1"].reason == "duplicate_error"
    assert len(outcomes.job_ids) == 3


def test_an_unclear_error_is_settled_by_a_look() -> None:
    """Klaviyo does not document its codes: whether the object is there decides which way it goes."""
    world = CatalogWorld()
    world.with_items(1)

    def spoil(request: httpx.Request) -> httpx.Response | None:
        if f"{ITEM_CREATES}/" not in request.url.path or "errors" not in request.url.params.get(f"fields[{ITEM_CREATES[:-1]}]"):
            return None
        error = {"id": "1", "code": "invalid", "source": {"pointer": "/data/attributes/items/data/0"}}
        return httpx.Response(200, json={"data": {"id": "x", "attributes": {"errors": [error]}}})

    world.between.spoil = spoil
    assert all_sent(world.catalog.put_items([an_item(1), an_item(2)], (), world.soon))
    assert world.between.asked["GET catalog-items"] == 1


def test_an_item_of_a_missing_category_fails_with_its_pointer() -> None:
    """The caller makes categories before."""
    world = CatalogWorld()
    outcomes = world.catalog.put_items([an_item(1), an_item(2, categories=("nowhere",))], (), world.soon)
    assert outcomes.outcomes == {
        "p1": Sent(),
        "p2": Failed("not_found", "/data/attributes/items/data/1/relationships/categories/data/0/id"),
    }


def test_a_variant_of_a_missing_item_is_transient() -> None:
    """The caller works the products again."""
    world = CatalogWorld()
    world.with_items(1)
    with pytest.raises(TransientError, match="item of a variant"):
        world.catalog.put_variants([a_variant(1), a_variant(2, "p2")], (), world.soon)


@pytest.mark.parametrize(("times", "sent"), [(1, True), (9, False)])
def test_a_variant_that_is_refused_for_an_item_that_is_there_is_tried_again_and_fails_alone(times: int, sent: bool) -> None:
    """Klaviyo may not know the item yet; if it goes on, only that variant has failed."""
    world = CatalogWorld()
    world.with_items(1)
    left = iter(range(times))

    def spoil(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != f"/api/{VARIANT_CREATES}" or compound_id("s1") not in row_ids(request) or next(left, None) is None:
            return None
        body = msgspec.json.decode(request.content)
        for row in body["data"]["attributes"]["variants"]["data"]:
            if row["attributes"]["external_id"] == "s1":
                row["relationships"]["item"]["data"]["id"] = compound_id("nowhere")
        kept = {name: value for name, value in request.headers.items() if name != "content-length"}
        content = msgspec.json.encode(body)
        return world.between.inner.handle_request(httpx.Request("POST", request.url, headers=kept, content=content))

    world.between.spoil = spoil
    outcomes = world.catalog.put_variants([a_variant(1), a_variant(2)], (), world.soon)
    assert outcomes.outcomes["s2"] == Sent()
    assert (outcomes.outcomes["s1"] == Sent()) is sent
    assert ("s1" in world.shelf("variant")) is sent


def test_a_variant_that_a_page_of_items_leaves_out_is_not_deleted() -> None:
    """Whether it is another item's is told by the list of all that its own item has."""
    world = CatalogWorld()
    world.with_items(1)
    world.catalog.put_variants([a_variant(number) for number in (1, 2)], (), world.soon)

    def spoil(request: httpx.Request) -> httpx.Response | None:
        if request.method != "GET" or request.url.path != "/api/catalog-items":
            return None
        body = msgspec.json.decode(world.between.inner.handle_request(request).content)
        for item in body["data"]:
            item["relationships"]["variants"]["data"] = []
        return httpx.Response(200, json={**body, "included": []})

    world.between.spoil = spoil
    outcomes = world.catalog.put_variants([a_variant(1, title="New")], (), world.soon)
    assert all_sent(outcomes)
    assert outcomes.replaced == set()
    assert world.jobs_asked("delete", "variant") == 0
    assert world.shelf("variant")["s1"].attributes()["title"] == "New"


def test_nothing_is_deleted_that_is_not_created_afterwards() -> None:
    """A SKU that somebody puts back under another item each time is left there in the end."""
    world = CatalogWorld()
    world.with_items(1, 2)

    def spoil(request: httpx.Request) -> None:
        if request.url.path == f"/api/{VARIANT_CREATES}" and "s1" not in world.shelf("variant"):
            take_over(world, "s1", "p2")

    world.between.spoil = spoil
    outcomes = world.catalog.put_variants([a_variant(1)], (), world.soon)
    assert list(failed(outcomes)) == ["s1"]
    assert world.owner_of("s1") == "p2"
    assert (world.jobs_asked("create", "variant"), world.jobs_asked("delete", "variant")) == (3, 2)


def test_a_sku_of_another_item_is_deleted_there_and_created_here() -> None:
    """Klaviyo cannot move a variant; those that were moved are named."""
    world = CatalogWorld()
    world.with_items(1, 2)
    world.catalog.put_variants([a_variant(1, "p2"), a_variant(2, "p1"), a_variant(4, "p2")], (), world.soon)
    outcomes = world.catalog.put_variants([a_variant(number, "p1", title="New") for number in (1, 2, 3)], (), world.soon)
    assert all_sent(outcomes)
    assert outcomes.replaced == {"s1"}
    assert [world.owner_of(f"s{number}") for number in (1, 2, 3, 4)] == ["p1", "p1", "p1", "p2"]
    assert {world.shelf("variant")[f"s{number}"].attributes()["title"] for number in (1, 2, 3)} == {"New"}


def test_a_sku_that_an_items_deletion_left_over_is_taken() -> None:
    """Where deleting an item leaves its variants, a SKU may belong to none."""
    world = CatalogWorld(item_delete="item_only")
    world.with_items(1, 2)
    world.catalog.put_variants([a_variant(1, "p2")], (), world.soon)
    world.catalog.delete_items(["p2"], world.soon)
    outcomes = world.catalog.put_variants([a_variant(1, "p1")], (), world.soon)
    assert all_sent(outcomes)
    assert outcomes.replaced == {"s1"}
    assert world.owner_of("s1") == "p1"


@pytest.mark.parametrize("reading", ["variants_too", "item_only"])
def test_deleting_twice_is_deleting_once(reading: str) -> None:
    """Variants, then their items, then categories; whatever is gone is fine, by both readings of an item's deletion."""
    world = CatalogWorld(item_delete=reading)
    world.catalog.put_categories([a_category(1)], (), world.soon)
    world.with_items(1, 2)
    world.catalog.put_variants([a_variant(1), a_variant(2, "p2")], (), world.soon)
    for _ in range(2):
        assert all_sent(world.catalog.delete_variants(["s1", "s2", "never"], world.soon))
        assert all_sent(world.catalog.delete_items(["p1", "p2"], world.soon))
        assert all_sent(world.catalog.delete_categories(["c1"], world.soon))
    assert not world.shelf("item")
    assert not world.shelf("variant")
    assert not world.shelf("category")


def test_klaviyos_own_ids_can_be_deleted() -> None:
    """An id that holds `:::` is Klaviyo's whole id, also of another integration."""
    world = CatalogWorld()
    world.with_items(1)
    foreign = "$shopify:::$default:::1"
    asked: list[list[str]] = []

    def spoil(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        asked.append(row_ids(request))
        return refused("/data/attributes/items/data/2") if foreign in asked[-1] else None

    world.between.spoil = spoil
    outcomes = world.catalog.delete_items(["p1", compound_id("p2"), foreign], world.soon)
    assert asked[0] == [compound_id("p1"), compound_id("p2"), foreign]
    assert outcomes.outcomes == {"p1": Sent(), compound_id("p2"): Sent(), foreign: Sent()}, "a look finds none of them"
    assert "p1" not in world.shelf("item")


def test_hiding_keeps_everything_else() -> None:
    """What is missing is fine."""
    world = CatalogWorld()
    world.with_items(1)
    world.catalog.put_variants([a_variant(1)], (), world.soon)
    assert all_sent(world.catalog.hide_variants(["s1", "never"], world.soon))
    assert all_sent(world.catalog.hide_items(["p1", "never"], world.soon))
    item, variant = world.shelf("item")["p1"].attributes(), world.shelf("variant")["s1"].attributes()
    assert (item["published"], item["title"]) == (False, "Product 1")
    assert (variant["published"], variant["inventory_quantity"]) == (False, 1)


def test_rows_that_a_refusal_names_are_set_aside() -> None:
    """One malformed row refuses the whole request; the others are sent without it."""
    world = CatalogWorld()
    items = [an_item(number, custom_metadata={"bad": {"nested": 1}} if number in (3, 7) else {}) for number in range(10)]
    outcomes = world.catalog.put_items(items, (), world.soon)
    at = "/data/attributes/items/data/{}/attributes/custom_metadata"
    assert failed(outcomes) == {f"p{number}": Failed("invalid", at.format(number)) for number in (3, 7)}
    assert [rows for _, rows in world.between.starts] == [10, 8]
    assert len(world.shelf("item")) == 8


def test_a_refusal_that_names_no_row_is_cornered() -> None:
    """By halves, until the bad row is alone; the account is not full."""
    world = CatalogWorld()
    world.between.spoil = lambda request: (
        refused("/data") if request.method == "POST" and compound_id("p5") in row_ids(request) else None
    )
    outcomes = world.catalog.put_items([an_item(number) for number in range(16)], (), world.soon)
    assert failed(outcomes) == {"p5": Failed("invalid", "/data")}
    assert len(world.shelf("item")) == 15


def test_a_body_that_is_too_large_after_all_is_halved() -> None:
    """413, whatever the reading of the limit."""
    world = CatalogWorld()
    world.between.spoil = lambda request: httpx.Response(413) if request.method == "POST" and len(row_ids(request)) > 30 else None
    assert all_sent(world.catalog.put_items([an_item(number) for number in range(100)], (), world.soon))
    assert sorted(rows for _, rows in world.between.starts) == [25, 25, 25, 25, 50, 50, 100]


def test_failures_that_no_error_names_are_cornered() -> None:
    """A job says that one row has failed, but not which."""
    world = CatalogWorld()
    world.between.spoil = lambda request: (
        httpx.Response(200, json={"data": {"id": "x", "attributes": {"errors": []}}})
        if f"{ITEM_CREATES}/" in request.url.path and request.url.params[f"fields[{ITEM_CREATES[:-1]}]"] == "errors"
        else None
    )
    items = [an_item(number, categories=("nowhere",) if number == 5 else ()) for number in range(16)]
    outcomes = world.catalog.put_items(items, (), world.soon)
    assert failed(outcomes) == {"p5": Failed(UNNAMED_ERROR)}
    assert len(world.shelf("item")) == 15


def test_no_more_jobs_are_in_progress_than_the_process_may_have() -> None:
    """Its rate share of what the account may have; the rest waits."""
    world = CatalogWorld(rate_share=0.5, jobs_most=6)
    most = 0

    def spoil(request: httpx.Request) -> None:
        nonlocal most
        kinds = [ITEM_CREATES[:-1]]
        most = max(most, world.account.jobs.in_progress(kinds, world.time.monotonic()) + (request.method == "POST"))

    world.between.spoil = spoil
    assert all_sent(world.catalog.put_items([an_item(number) for number in range(1_000)], (), world.soon))
    assert most == 3
    assert world.jobs_asked("create", "item") == 10


def test_threads_share_the_places_for_jobs() -> None:
    """However many batches there are; none waits for ever."""
    world = CatalogWorld(jobs_most=2)
    done = []

    def put(first: int) -> None:
        outcomes = world.catalog.put_items([an_item(number) for number in range(first, first + 300)], (), world.soon)
        done.append(all_sent(outcomes))

    world.time.run(lambda: put(0), lambda: put(300), lambda: put(600))
    assert done == [True, True, True]
    assert len(world.shelf("item")) == 900


def test_waiting_for_a_place_ends_with_the_budget() -> None:
    """Nothing was sent."""
    world = CatalogWorld(jobs_most=1)
    places = world.catalog._carrier.places
    places.take(places.turn(), 1)
    with pytest.raises(Interrupted) as interrupted:
        world.catalog.put_items([an_item(1)], (), world.time.budget(5))
    assert interrupted.value.cause is Interrupted.Cause.CROWDED
    assert not world.between.asked


def test_waiting_for_room_in_the_account_is_no_fault_of_the_work() -> None:
    """Others have as many jobs in progress as the account may have until the time is over."""
    world = CatalogWorld(rate_limits=False, catalog_jobs_full_status=400)
    fill(world)
    with pytest.raises(Interrupted) as interrupted:
        world.catalog.put_items([an_item(1)], (), world.time.budget(15))
    assert interrupted.value.cause is Interrupted.Cause.CROWDED


def test_places_are_free_again_after_a_failure() -> None:
    """Whatever ended the call."""
    world = CatalogWorld(jobs_most=1)
    world.between.spoil = lambda _: httpx.Response(401)
    with pytest.raises(AuthError):
        world.catalog.put_items([an_item(1)], (), world.soon)
    world.between.spoil = lambda _: None
    assert all_sent(world.catalog.put_items([an_item(1)], (), world.soon))


@pytest.mark.parametrize("status", [429, 400, 409])
def test_a_full_account_is_waited_out(status: int) -> None:
    """Others have as many jobs in progress as the account may have; no row fails for it, whatever Klaviyo's status is."""
    world = CatalogWorld(catalog_jobs_full_status=status, rate_limits=False)
    fill(world)
    begun = world.time.monotonic()
    outcomes = world.catalog.put_items([an_item(number) for number in range(80)], (), world.soon)
    assert all_sent(outcomes)
    assert len(outcomes.job_ids) == 1
    assert world.time.monotonic() - begun > 25


def test_a_lost_job_is_raised() -> None:
    """Its rows are sent again by redelivery."""
    world = CatalogWorld()

    def spoil(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(404) if f"{ITEM_CREATES}/" in request.url.path else None

    world.between.spoil = spoil
    with pytest.raises(JobLost):
        world.catalog.put_items([an_item(1)], (), world.soon)


@pytest.mark.parametrize("misses", [1, 2])
def test_the_errors_of_a_job_that_is_not_found_are_looked_for_again(misses: int) -> None:
    """It was complete a moment ago."""
    world = CatalogWorld()
    world.with_items(1)
    left = iter(range(misses))
    world.between.spoil = lambda request: (
        httpx.Response(404) if looks_for_errors(request) and next(left, None) is not None else None
    )
    assert all_sent(world.catalog.put_items([an_item(1), an_item(2)], (), world.soon))


def test_a_job_that_is_not_found_when_its_errors_are_read_is_lost() -> None:
    """Its rows are sent again by redelivery; none of them fails for it."""
    world = CatalogWorld()
    world.with_items(1)
    world.between.spoil = lambda request: httpx.Response(404) if looks_for_errors(request) else None
    with pytest.raises(JobLost):
        world.catalog.put_items([an_item(1), an_item(2)], (), world.soon)


def test_a_cancelled_job_is_raised() -> None:
    """As for profiles."""
    world = CatalogWorld()
    world.between.spoil = lambda request: (
        httpx.Response(200, json={"data": {"id": request.url.path.split("/")[-1], "attributes": {"status": "cancelled"}}})
        if f"{ITEM_CREATES}/" in request.url.path
        else None
    )
    with pytest.raises(JobLost, match="cancelled"):
        world.catalog.put_items([an_item(1)], (), world.soon)


def test_a_queued_job_is_not_done() -> None:
    """Case 90: what follows begins when it is complete."""
    world = CatalogWorld(job_base_s=10.0, job_queued_share=0.9)
    begun = world.time.monotonic()
    world.with_items(1)
    assert world.time.monotonic() - begun >= 10
    assert all_sent(world.catalog.put_variants([a_variant(1)], (), world.soon))


def test_a_slot_is_given_up_while_klaviyo_works() -> None:
    """Another batch works meanwhile."""
    slots = Slots(1)
    world = CatalogWorld(slots=slots)
    taken_meanwhile: list[bool] = []

    def spoil(request: httpx.Request) -> None:
        if f"{ITEM_CREATES}/" in request.url.path and not taken_meanwhile:
            with slots.taken(world.soon):
                taken_meanwhile.append(True)

    world.between.spoil = spoil
    with slots.taken(world.soon):
        assert all_sent(world.catalog.put_items([an_item(1)], (), world.soon))
    assert taken_meanwhile


def test_many_jobs_cost_few_requests() -> None:
    """Fifty jobs of a hundred variants: as many starts, and a few looks at the list."""
    world = CatalogWorld(rate_limits=False)
    world.with_items(1)
    assert all_sent(world.catalog.put_variants([a_variant(number) for number in range(5_000)], (), world.soon))
    assert world.jobs_asked("create", "variant") == 50
    assert world.between.asked[f"GET {VARIANT_CREATES}"] <= 10
    assert world.between.asked[f"GET {VARIANT_CREATES}/one"] == 0


def looks_for_errors(request: httpx.Request) -> bool:
    """Whether a request asks what a job that creates items says of its rows."""
    return f"{ITEM_CREATES}/" in request.url.path and "errors" in request.url.params[f"fields[{ITEM_CREATES[:-1]}]"]


def take_over(world: CatalogWorld, sku: str, item: str) -> None:
    """Somebody else puts a variant under an item."""
    row = msgspec.json.decode(encode_new_variant(a_variant(int(sku[1:]), item)))
    world.account.catalog.create("variant", row, 0.0)


def fill(world: CatalogWorld) -> None:
    """As many jobs in progress as the account may have, of two types, for 30 s."""
    now = world.time.monotonic()
    for number in range(500):
        kind = f"catalog-{'variant' if number % 2 else 'category'}-bulk-update-job"
        job = Job(f"other-{number}", kind, 0, now, now + 10, now + 30, 1)
        world.account.jobs._by_kind.setdefault(kind, []).append(job)
