"""What changes while products and categories are written: Klaviyo ends as commercetools is by then (decisions.md 7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from catalog_world import Catalog, Document
from shell_world import CONTROL, World

from shared.budget import Budget
from shared.errors import TransientError
from shared.klaviyo.catalog_imports import CatalogImporter
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.limits import FIND_ITEMS
from shared.klaviyo.requests import Request

T = TypeVar("T")

ITEM_JOBS = "catalog-item-bulk"
VARIANT_DELETIONS = "catalog-variant-bulk-delete"
CATEGORY_JOBS = "catalog-category-bulk"


@pytest.fixture
def catalog(world: World) -> Catalog:
    """An import of the catalog between simulators as they were at their start."""
    return Catalog(world)


class _Killed(BaseException):
    """The process ends here."""


class _Disturbed(KlaviyoClient):
    """A client that does something before, or after, the first request that fits; with `each` before every one."""

    def __init__(
        self,
        inner: KlaviyoClient,
        fits: Callable[[Request[Any]], bool],
        disturb: Callable[[], None],
        *,
        each: bool = False,
        after: bool = False,
    ) -> None:
        self._inner = inner
        self._fits = fits
        self._disturb = disturb
        self._left = 1_000 if each else 1
        self._after = after

    def send(self, request: Request[T], budget: Budget) -> T:
        """As the client does."""
        if not self._left or not self._fits(request):
            return self._inner.send(request, budget)
        self._left -= 1
        if not self._after:
            self._disturb()
        answer = self._inner.send(request, budget)
        if self._after:
            self._disturb()
        return answer


def _before(catalog: Catalog, path: str, disturb: Callable[[], None], *, each: bool = False) -> Catalog:
    """The same import, disturbed before a job is started at this path."""

    def fits(request: Request[Any]) -> bool:
        return path in request.path and request.endpoint.method == "POST"

    return _with(catalog, _Disturbed(catalog.world.app.klaviyo, fits, disturb, each=each))


def _at_the_look(catalog: Catalog, disturb: Callable[[], None], *, after: bool = False) -> Catalog:
    """The same import, disturbed when it asks Klaviyo what is there: commercetools has been read by then."""
    return _with(catalog, _Disturbed(catalog.world.app.klaviyo, lambda one: one.endpoint is FIND_ITEMS, disturb, after=after))


def _with(catalog: Catalog, client: KlaviyoClient) -> Catalog:
    world = catalog.world
    app = replace(world.app, klaviyo=client, catalog=CatalogImporter(client, slots=world.app.slots))
    return Catalog(replace(world, app=app))


def test_a_product_that_changes_while_it_is_written_ends_as_it_is_by_then(catalog: Catalog) -> None:
    """Also one that changes a second time."""
    catalog.categories()
    names = iter(["Second", "Third"])
    product = catalog.published()[0]

    def rename() -> None:
        if name := next(names, None):
            _rename(catalog, product, name)

    result = _before(catalog, ITEM_JOBS, rename, each=True).products([product["id"]])
    assert (result.seen, result.sent) == (1, 1)
    assert catalog.stored("item")[product["id"]]["attributes"]["title"] == "Third"


def test_a_product_that_is_deleted_while_it_is_written_is_not_left_in_klaviyo(catalog: Catalog) -> None:
    """Somebody removed it before our job brought it back; the others are written once."""
    catalog.categories()
    product, other = catalog.published()[:2]
    result = _before(catalog, ITEM_JOBS, lambda: catalog.remove("products", product["id"])).products([product["id"], other["id"]])
    assert (result.seen, result.sent, result.sent_ids) == (2, 2, [other["id"]])
    assert set(catalog.stored("item")) == {other["id"]}
    assert set(catalog.stored("variant")) == set(_skus(other))


def test_a_product_that_is_published_again_while_it_is_removed_is_there_afterwards(catalog: Catalog) -> None:
    """Whoever brought it found nothing to do, since it was still there."""
    catalog.categories()
    catalog.products()
    product = catalog.published()[0]
    catalog.unpublish(product["id"])

    def publish() -> None:
        catalog.change("products", product["id"], masterData=product["masterData"])

    result = _before(catalog, VARIANT_DELETIONS, publish).products([product["id"]])
    assert (result.sent, result.sent_ids) == (1, [product["id"]])
    assert catalog.check().problems == ()


def test_a_variant_that_is_brought_between_our_reading_and_our_look_is_not_deleted(catalog: Catalog) -> None:
    """It is in Klaviyo and not in what was read, but the product has it by now."""
    catalog.categories()
    catalog.products()
    product = catalog.published()[0]
    current = product["masterData"]["current"]

    def bring() -> None:
        new = {**current["masterVariant"], "sku": "NEW-1", "key": "NEW-1"}
        catalog.set_variants(product["id"], [current["masterVariant"], *current["variants"], new])
        Catalog(catalog.world).products([product["id"]])

    deleted = catalog.world.klaviyo()["effects"].get("variant_deleted", 0)
    assert _at_the_look(catalog, bring).products([product["id"]]).sent == 1
    assert catalog.world.klaviyo()["effects"].get("variant_deleted", 0) == deleted
    assert catalog.check().problems == ()


def test_what_changes_each_time_that_it_is_written_is_left_to_the_next_attempt(catalog: Catalog) -> None:
    """After three more times."""
    catalog.categories()
    product = catalog.published()[0]
    names: list[str] = []

    def rename() -> None:
        names.append(f"Name {len(names)}")
        _rename(catalog, product, names[-1])

    with pytest.raises(TransientError):
        _before(catalog, ITEM_JOBS, rename, each=True).products([product["id"]])
    assert len(names) == 4


def test_when_nothing_changes_a_window_costs_one_look(catalog: Catalog) -> None:
    """Ids and versions of all products of the window in one query, those of the absent ones also before."""
    ids = [row["id"] for row in catalog.published()]
    catalog.categories()
    before = _queries(catalog)
    catalog.products(ids)
    assert _queries(catalog) - before == 1


@pytest.mark.parametrize("by_products", [False, True], ids=["categories", "products that link to it"])
def test_a_category_that_is_deleted_while_it_is_created_is_not_left_in_klaviyo(catalog: Catalog, by_products: bool) -> None:
    """Nobody would speak of it again."""
    product = next(row for row in catalog.published() if row["masterData"]["current"]["categories"])
    lost = product["masterData"]["current"]["categories"][0]["id"]
    disturbed = _before(catalog, CATEGORY_JOBS, lambda: catalog.remove("categories", lost))
    result = disturbed.products([product["id"]]) if by_products else disturbed.categories([lost])
    assert (result.seen, result.sent) == (1, 1)
    assert lost not in catalog.stored("category")


@pytest.mark.parametrize("above", [False, True], ids=["itself", "the one above it"])
def test_a_category_that_is_renamed_while_it_is_written_ends_under_its_new_name(catalog: Catalog, above: bool) -> None:
    """A breadcrumb has the names above it, too."""
    row = next(row for row in catalog.rows("categories") if row["ancestors"])
    renamed = row["ancestors"][-1]["id"] if above else row["id"]
    disturbed = _before(catalog, CATEGORY_JOBS, lambda: catalog.change("categories", renamed, name={"en": "Renamed"}))
    assert disturbed.categories([row["id"]]).sent == 1
    assert "Renamed" in catalog.stored("category")[row["id"]]["attributes"]["name"]


def test_a_sku_that_moved_is_not_lost_when_the_process_dies_after_its_old_product_was_read(catalog: Catalog) -> None:
    """Its new product was brought over in between, and is in no batch any more; the redelivery knows nothing of the first one."""
    giver, taker, moved = _moved_sku(catalog)

    def die() -> None:
        raise _Killed

    def take_over() -> None:
        assert catalog.products([taker]).sent == 1

    takes_over = _at_the_look(catalog, take_over, after=True)
    dying = _before(takes_over, ITEM_JOBS, die)
    with pytest.raises(_Killed):
        dying.products([giver])
    assert moved in catalog.stored("variant")
    assert catalog.products([giver]).sent == 1
    assert catalog.stored("variant")[moved]["item"] == taker
    assert catalog.check().problems == ()


def test_a_removed_product_goes_when_its_sku_has_been_taken_over(catalog: Catalog) -> None:
    """Its item, with what else is under it; the SKU is never missing for longer than its move takes."""
    giver, taker, moved = _moved_sku(catalog)
    catalog.unpublish(giver)
    result = catalog.products([giver])
    assert (result.seen, result.sent) == (1, 1)
    assert giver not in catalog.stored("item")
    assert catalog.stored("variant")[moved]["item"] == taker
    assert catalog.check().problems == ()


@pytest.mark.parametrize("how", ["refused", "unreadable"])
def test_a_product_fails_when_the_one_that_took_over_its_sku_cannot_be_written(catalog: Catalog, how: str) -> None:
    """So that it is seen, and a retry comes by it again; nothing is deleted for it."""
    giver, taker, moved = _moved_sku(catalog)
    if how == "unreadable":
        (row,) = (row for row in catalog.rows("products") if row["id"] == taker)
        current = {**row["masterData"]["current"], "name": "not localized"}
        catalog.change("products", taker, masterData={**row["masterData"], "current": current})
    result = (catalog.meddled([taker]) if how == "refused" else catalog).products([giver])
    assert (result.seen, result.failed_ids) == (1, [giver])
    assert result.failed == {"invalid" if how == "refused" else "unreadable": 1}
    assert moved in catalog.stored("variant")


def _moved_sku(catalog: Catalog) -> tuple[str, str, str]:
    """A product that has lost a SKU since it was brought over, the one that has it now, and the SKU."""
    catalog.categories()
    catalog.products()
    giver, taker = [row for row in catalog.published() if len(_skus(row)) > 2][:2]
    moved, *rest = giver["masterData"]["current"]["variants"]
    catalog.set_variants(giver["id"], [giver["masterData"]["current"]["masterVariant"], *rest])
    current = taker["masterData"]["current"]
    catalog.set_variants(taker["id"], [current["masterVariant"], *current["variants"], moved])
    return giver["id"], taker["id"], moved["sku"]


def _rename(catalog: Catalog, product: Document, name: str) -> None:
    current = {**product["masterData"]["current"], "name": {"en": name}}
    catalog.change("products", product["id"], masterData={**product["masterData"], "current": current})


def _skus(product: Document) -> list[str]:
    current = product["masterData"]["current"]
    return [variant["sku"] for variant in (current["masterVariant"], *current["variants"]) if "sku" in variant]


def _queries(catalog: Catalog) -> int:
    """How many GraphQL queries commercetools has seen."""
    asked = CONTROL.get(f"{catalog.world.servers.commercetools.url}/_sandbox/requests").json()
    return sum(row["count"] for row in asked["requests"] if "graphql" in row["endpoint"])
