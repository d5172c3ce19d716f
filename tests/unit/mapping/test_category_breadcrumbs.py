"""Categories go by their breadcrumbs (mapping.md "Catalog", reference.md 3.2 to 3.4; cases 42, 59 and 66)."""

from __future__ import annotations

from shared.commercetools.catalog import AncestorReference, Category, CategoryName, CategoryReference
from shared.klaviyo.catalog import CatalogCategory
from shared.mapping.category import category_ids, category_of, category_paths, linked_categories


def ancestor(category_id: str, **name: str) -> AncestorReference:
    """An expanded ancestor with its name by locale."""
    return AncestorReference(id=category_id, obj=CategoryName(id=category_id, name=name))


WOMEN = ancestor("c-women", en="Women", de="Damen")
PANTS = ancestor("c-pants", en="Pants", de="Hosen")
JEANS = Category(id="c-jeans", name={"en": "Jeans", "de": "Jeanshosen"}, ancestors=[WOMEN, PANTS])
SALE = Category(id="c-sale", name={"en": "Sale", "de": "Angebote"})


def reference(category: Category) -> CategoryReference:
    """An expanded reference."""
    return CategoryReference(id=category.id, obj=category)


def test_a_name_is_the_way_from_the_root() -> None:
    """Two ancestors and the category's own name, in the preferred locale."""
    assert category_of(JEANS, "en") == CatalogCategory(external_id="c-jeans", name="Women > Pants > Jeans")
    assert category_of(JEANS, "de-AT").name == "Damen > Hosen > Jeanshosen"


def test_a_root_goes_by_its_own_name() -> None:
    """Nothing is above it."""
    assert category_of(SALE, "en").name == "Sale"


def test_an_ancestor_without_a_name_is_left_out() -> None:
    """Not expanded, or nameless: never an error."""
    category = Category(id="c", name={"en": "Jeans"}, ancestors=[WOMEN, AncestorReference(id="gone"), ancestor("blank", en=" ")])
    assert category_of(category, "en").name == "Women > Jeans"


def test_a_category_without_a_name_goes_by_its_id() -> None:
    """Klaviyo requires a name."""
    assert category_of(Category(id="c-new"), "en").name == "c-new"
    assert category_of(Category(id="c-new", name={"en": ""}, ancestors=[WOMEN]), "en").name == "Women > c-new"


def test_a_name_fits_klaviyos_limit_on_strings() -> None:
    """An absurd one is cut."""
    assert len(category_of(Category(id="c", name={"en": "é" * 60_000}), "en").name.encode()) == 100_000


def test_paths_are_all_breadcrumbs_on_the_way() -> None:
    """`Women`, `Women > Pants`, `Women > Pants > Jeans`."""
    assert category_paths([JEANS], "en") == ["Women", "Women > Pants", "Women > Pants > Jeans"]


def test_paths_are_unique_and_in_the_order_of_the_categories() -> None:
    """What two categories share is there once, where it was first."""
    shirts = Category(id="c-shirts", name={"en": "Shirts"}, ancestors=[WOMEN])
    assert category_paths([SALE, JEANS, shirts, SALE], "en") == [
        "Sale",
        "Women",
        "Women > Pants",
        "Women > Pants > Jeans",
        "Women > Shirts",
    ]


def test_paths_have_no_place_for_what_has_no_name() -> None:
    """Not even the id, which means nothing to anybody who reads an event."""
    nameless = Category(id="c", ancestors=[WOMEN, AncestorReference(id="gone")])
    assert category_paths([nameless, Category(id="d")], "en") == ["Women"]
    assert category_paths([], "en") == []


def test_ids_are_the_direct_ones_then_those_above() -> None:
    """Each once: a category that is also above another one counts as direct."""
    women = Category(id="c-women", name={"en": "Women"})
    references = [reference(JEANS), reference(SALE), reference(women)]
    assert category_ids(references) == ("c-jeans", "c-sale", "c-women", "c-pants")


def test_a_category_that_is_not_expanded_is_linked_all_the_same() -> None:
    """Only what is above it is not known."""
    assert category_ids([CategoryReference(id="c-hidden"), reference(SALE)]) == ("c-hidden", "c-sale")


def test_linked_categories_are_named_as_they_are_as_categories() -> None:
    """Ancestors by their own breadcrumbs, in the order of the ids."""
    assert linked_categories([reference(JEANS), reference(SALE)], "en") == (
        CatalogCategory(external_id="c-jeans", name="Women > Pants > Jeans"),
        CatalogCategory(external_id="c-sale", name="Sale"),
        CatalogCategory(external_id="c-women", name="Women"),
        CatalogCategory(external_id="c-pants", name="Women > Pants"),
    )


def test_a_direct_category_is_known_better_than_the_same_one_above_another() -> None:
    """All that is above it was read with it."""
    pants = Category(id="c-pants", name={"en": "Pants"}, ancestors=[WOMEN])
    jeans = Category(id="c-jeans", name={"en": "Jeans"}, ancestors=[AncestorReference(id="c-women"), PANTS])
    names = {category.external_id: category.name for category in linked_categories([reference(jeans), reference(pants)], "en")}
    assert names == {"c-jeans": "Pants > Jeans", "c-pants": "Women > Pants", "c-women": "Women"}


def test_linked_categories_are_only_those_that_are_known() -> None:
    """Neither a category that is not expanded nor such an ancestor can be named."""
    category = Category(id="c", name={"en": "Jeans"}, ancestors=[AncestorReference(id="gone"), PANTS])
    linked = linked_categories([CategoryReference(id="c-hidden"), reference(category)], "en")
    assert linked == (
        CatalogCategory(external_id="c", name="Pants > Jeans"),
        CatalogCategory(external_id="c-pants", name="Pants"),
    )
