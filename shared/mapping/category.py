"""Categories: breadcrumbs, and what a product links to (mapping.md "Catalog", reference.md 3.2 to 3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.commercetools.catalog import Category, CategoryReference
from shared.klaviyo.catalog import CatalogCategory
from shared.mapping.limits import MAX_STRING_BYTES
from shared.mapping.localized import localized
from shared.mapping.text import cut_to_bytes

SEPARATOR = " > "


def category_of(category: Category, locale: str) -> CatalogCategory:
    """The category under its breadcrumb, from the root down, such as `Women > Pants > Jeans`.

    An ancestor that is not expanded, or that has no name, is left out; a category without a name goes by its id.
    """
    names = [*_names_above(category, locale), localized(category.name, locale) or category.id]
    return CatalogCategory(external_id=category.id, name=cut_to_bytes(SEPARATOR.join(names), MAX_STRING_BYTES))


def category_paths(categories: Iterable[Category], locale: str) -> list[str]:
    """The breadcrumbs of the categories and of all above them, each once: `Women`, `Women > Pants`, `Women > Pants > Jeans`.

    In the order of `categories`, each from the root down; what has no name is left out.
    """
    paths: dict[str, None] = {}
    for category in categories:
        own = localized(category.name, locale)
        path = ""
        for name in (*_names_above(category, locale), *([own] if own else [])):
            path = f"{path}{SEPARATOR}{name}" if path else name
            paths[path] = None
    return list(paths)


def category_ids(references: Iterable[CategoryReference]) -> tuple[str, ...]:
    """The ids of a product's categories, then those of all that are above them, each once.

    Above a category that is not expanded nothing is known.
    """
    direct = list(references)
    above = [ancestor.id for reference in direct if reference.obj for ancestor in reference.obj.ancestors]
    return tuple(dict.fromkeys([*(reference.id for reference in direct), *above]))


def linked_categories(references: Iterable[CategoryReference], locale: str) -> tuple[CatalogCategory, ...]:
    """The categories that `category_ids` names, in the same order, as far as they are expanded."""
    direct = list(references)
    known: dict[str, CatalogCategory] = {}
    for category in _with_ancestors(direct):
        known.setdefault(category.id, category_of(category, locale))
    return tuple(known[category_id] for category_id in category_ids(direct) if category_id in known)


def _names_above(category: Category, locale: str) -> list[str]:
    names = (localized(ancestor.obj.name, locale) for ancestor in category.ancestors if ancestor.obj)
    return [name for name in names if name]


def _with_ancestors(references: list[CategoryReference]) -> Iterator[Category]:
    """The expanded categories, then each expanded ancestor as the category that it is."""
    categories = [reference.obj for reference in references if reference.obj]
    yield from categories
    for category in categories:
        for depth, ancestor in enumerate(category.ancestors):
            if ancestor.obj:
                yield Category(id=ancestor.id, name=ancestor.obj.name, ancestors=category.ancestors[:depth])
