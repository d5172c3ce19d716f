"""Importing categories: each is in Klaviyo under its breadcrumb, and what is gone is not (mapping.md "Catalog")."""

from __future__ import annotations

import pytest
from catalog_world import NOBODY, Catalog, Document
from shell_world import CATEGORIES, World

from shared.bulk.records import RunOptions

CREATE, UPDATE = "POST /api/catalog-category-bulk-create-jobs", "POST /api/catalog-category-bulk-update-jobs"


@pytest.fixture
def catalog(world: World) -> Catalog:
    """An import of the catalog between simulators as they were at their start."""
    return Catalog(world)


def test_a_first_import_brings_every_category_over(catalog: Catalog) -> None:
    """One batch, one job."""
    result = catalog.categories()
    assert (result.seen, result.sent) == (CATEGORIES, CATEGORIES)
    assert set(result.sent_ids) == {row["id"] for row in catalog.rows("categories")}
    assert (len(result.job_ids), catalog.world.requests(CREATE)) == (1, 1)
    assert _wrong(catalog) == []


def test_categories_that_are_as_they_should_be_count_as_sent_without_a_request(catalog: Catalog) -> None:
    """The names that Klaviyo has are compared first."""
    first = catalog.categories()
    second = catalog.categories()
    assert (second.sent, second.sent_ids, second.job_ids) == (first.sent, first.sent_ids, [])
    assert (catalog.world.requests(CREATE), catalog.world.requests(UPDATE)) == (1, 0)


@pytest.mark.parametrize("named", [False, True], ids=["all of them", "only the one renamed"])
def test_a_new_name_is_part_of_the_breadcrumbs_below_it(catalog: Catalog, named: bool) -> None:
    """Also of those that are not in the batch, for they did not change; these are not counted."""
    catalog.categories()
    rows = catalog.rows("categories")
    parent = next(row for row in rows if not row["ancestors"] and any(_is_below(other, row) for other in rows))
    catalog.change("categories", parent["id"], name={"en": "Renamed"})
    result = catalog.categories([parent["id"]] if named else None)
    assert result.seen == result.sent == (1 if named else CATEGORIES)
    assert sum(row["attributes"]["name"].startswith("Renamed > ") for row in catalog.stored("category").values()) >= 1
    assert _wrong(catalog) == []


def test_a_category_that_is_gone_is_deleted_in_klaviyo(catalog: Catalog) -> None:
    """It counts as sent, for Klaviyo had it; what Klaviyo does not have either is skipped."""
    catalog.categories()
    rows = catalog.rows("categories")
    leaf = next(row for row in rows if not any(_is_below(other, row) for other in rows))
    catalog.remove("categories", leaf["id"])
    result = catalog.categories([leaf["id"], NOBODY])
    assert (result.seen, result.sent, result.skipped, result.sent_ids) == (2, 1, {"gone": 1}, [])
    assert _wrong(catalog) == []


def test_ancestors_that_may_not_be_read_are_left_out_of_the_name_and_counted(catalog: Catalog) -> None:
    """The category itself is read a second time, without them."""
    below = [row["id"] for row in catalog.rows("categories") if row["ancestors"]]
    catalog.world.commercetools_fails(kind="status", status=403, path="/sandbox/categories", first=1)
    result = catalog.categories()
    assert (result.sent, result.adjusted) == (CATEGORIES, {"lookup_forbidden": len(below)})


def test_a_category_that_klaviyo_refuses_is_named_and_the_others_are_sent(catalog: Catalog) -> None:
    """Its id, Klaviyo's reason and pointer are in the result; it is not in the catalog."""
    refused = catalog.rows("categories")[0]["id"]
    result = catalog.meddled([refused]).categories()
    assert (result.sent, result.failed, result.failed_ids) == (CATEGORIES - 1, {"invalid": 1}, [refused])
    assert result.failed_items[0].pointer
    assert set(result.sent_ids) == catalog.stored("category").keys()


def test_a_breadcrumb_below_that_klaviyo_refuses_fails_the_category_that_was_renamed(catalog: Catalog) -> None:
    """So that a retry of what failed comes by it again; nothing beside the batch is counted."""
    catalog.categories()
    rows = catalog.rows("categories")
    parent, below = next((row, other) for row in rows for other in rows if _is_below(other, row))
    catalog.change("categories", parent["id"], name={"en": "Renamed"})
    result = catalog.meddled([below["id"]]).categories([parent["id"]])
    assert (result.seen, result.failed_ids) == (1, [parent["id"]])
    assert result.sent_ids == [parent["id"]]


def test_a_category_below_of_another_form_than_documented_is_left_out(catalog: Catalog) -> None:
    """It is none of the batch's, which is sent."""
    catalog.categories()
    rows = catalog.rows("categories")
    parent, below = next((row, other) for row in rows for other in rows if _is_below(other, row) and not row["ancestors"])
    catalog.change("categories", below["id"], name="not localized")
    catalog.change("categories", parent["id"], name={"en": "Renamed"})
    result = catalog.categories([parent["id"]])
    assert (result.sent, result.failed) == (1, {})
    assert catalog.stored("category")[parent["id"]]["attributes"]["name"] == "Renamed"


def test_a_dry_run_shows_what_it_would_create_and_sends_nothing(catalog: Catalog) -> None:
    """The first twenty; an id that is gone is skipped."""
    ids = [row["id"] for row in catalog.rows("categories")]
    result = catalog.categories([*ids, NOBODY], RunOptions(dry_run=True))
    assert (result.sent, result.skipped, len(result.examples)) == (CATEGORIES, {"gone": 1}, min(20, CATEGORIES))
    assert {example["data"]["type"] for example in result.examples} == {"catalog-category"}
    assert catalog.world.klaviyo()["by_endpoint"] == {}


def _is_below(row: Document, other: Document) -> bool:
    return other["id"] in {ancestor["id"] for ancestor in row["ancestors"]}


def _wrong(catalog: Catalog) -> list[str]:
    return [problem for problem in catalog.check().problems if problem.startswith("category")]
