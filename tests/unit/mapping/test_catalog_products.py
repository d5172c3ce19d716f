"""A product becomes an item and its variants (mapping.md "Catalog", reference.md 3.4; cases 63 to 72)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.commercetools.catalog import (
    AncestorReference,
    Availability,
    Category,
    CategoryName,
    CategoryReference,
    Image,
    InventoryEntry,
    Money,
    Price,
    ProductProjection,
    Reference,
    StandalonePrice,
    Variant,
)
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogStock, CatalogVariant, InventoryPolicy
from shared.mapping.choices import Choices
from shared.mapping.product import MappedProduct, product_of
from shared.mapping.result import Adjustment
from shared.mapping.sources import ProductSource
from shared.mapping.stock import UNKNOWN

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
IMAGES = "https://images.example.com"
JEANS = Category(
    id="c-jeans",
    name={"en": "Jeans"},
    ancestors=[AncestorReference(id="c-women", obj=CategoryName(id="c-women", name={"en": "Women"}))],
)
CHOICES = Choices(locale="en", currency="EUR", url_template="https://shop.example.com/{{productSlug}}/{{sku}}")


def variant(
    sku: str | None = "BJ-32", cents: int | None = 1999, *, images: tuple[str, ...] = (), stock: int | None = 7
) -> Variant:
    """A variant with one general price in euro cents (None: none), its images and its stock (None: unknown)."""
    return Variant(
        sku=sku,
        prices=[] if cents is None else [Price(value=Money(centAmount=cents, currencyCode="EUR"))],
        images=[Image(url=url) for url in images],
        availability=None if stock is None else Availability(availableQuantity=stock),
    )


def product(*variants: Variant, **more: Any) -> ProductProjection:
    """A product with these variants, the first of them the master; `more` as in commercetools."""
    master, *others = variants or (variant(),)
    fields: dict[str, Any] = {
        "id": "p-1",
        "name": {"de": "Blaue Jeans", "en": "Blue jeans"},
        "slug": {"de": "blaue-jeans", "en": "blue-jeans"},
        "description": {"en": "They are blue."},
    }
    return ProductProjection(**(fields | more), masterVariant=master, variants=others)


def mapped(
    *variants: Variant, choices: Choices = CHOICES, entries: list[InventoryEntry] | None = None, **more: Any
) -> MappedProduct:
    """The product with these variants, mapped."""
    return product_of(ProductSource(product=product(*variants, **more), entries=entries), choices, NOW)


def skus(result: MappedProduct) -> list[str]:
    """The variants that go."""
    return [sent.sku for sent in result.variants]


def test_a_whole_product() -> None:
    """Every attribute of the item, its variants and its categories."""
    master = variant(images=(f"{IMAGES}/1.jpg", f"{IMAGES}/2.jpg"))
    other = variant("BJ-34", 2099, stock=0)
    references = [CategoryReference(id="c-jeans", obj=JEANS)]
    texts = {
        "title_json": '{"title_de":"Blaue Jeans","title_en":"Blue jeans"}',
        "slug_json": '{"slug_de":"blaue-jeans","slug_en":"blue-jeans"}',
    }
    common: dict[str, Any] = {"title": "Blue jeans", "description": "They are blue.", "image_full_url": f"{IMAGES}/1.jpg"}
    assert mapped(master, other, categories=references) == MappedProduct(
        item=CatalogItem(
            external_id="p-1",
            url="https://shop.example.com/blue-jeans/BJ-32",
            price=Decimal("19.99"),
            custom_metadata=texts | {"price_json": '{"price_EUR":19.99}', "currency_json": "{}"},
            published=True,
            categories=("c-jeans", "c-women"),
            **common,
        ),
        variants=(
            CatalogVariant(
                external_id="BJ-32",
                item_id="p-1",
                sku="BJ-32",
                url="https://shop.example.com/blue-jeans/BJ-32",
                price=Decimal("19.99"),
                stock=CatalogStock(inventory_quantity=7, inventory_policy=InventoryPolicy.TRACKED),
                custom_metadata=texts | {"price_json": '{"price_EUR":19.99}', "currency_json": "{}"},
                published=True,
                **common,
            ),
            CatalogVariant(
                external_id="BJ-34",
                item_id="p-1",
                sku="BJ-34",
                url="https://shop.example.com/blue-jeans/BJ-34",
                price=Decimal("20.99"),
                stock=CatalogStock(inventory_quantity=0, inventory_policy=InventoryPolicy.TRACKED),
                custom_metadata=texts | {"price_json": '{"price_EUR":20.99}', "currency_json": "{}"},
                published=True,
                **common,
            ),
        ),
        categories=(
            CatalogCategory(external_id="c-jeans", name="Women > Jeans"),
            CatalogCategory(external_id="c-women", name="Women"),
        ),
        adjustments=(),
    )


def test_a_variant_without_sku_is_left_out_and_the_rest_goes() -> None:
    """Absent or blank; counted (case 65)."""
    result = mapped(variant(None), variant("A"), variant(" "), variant("B"))
    assert skus(result) == ["A", "B"]
    assert result.adjustments == (Adjustment.VARIANT_WITHOUT_SKU,)


def test_a_product_without_any_sku_is_an_item_without_variants() -> None:
    """With the master variant's price."""
    result = mapped(variant(None))
    assert result.variants == ()
    assert result.item.price == Decimal("19.99")


def test_of_variants_with_one_sku_the_first_goes() -> None:
    """Klaviyo knows it once; counted."""
    result = mapped(variant("A", 100), variant("A", 200), variant("B", 300))
    assert [(sent.sku, sent.price) for sent in result.variants] == [("A", Decimal(1)), ("B", Decimal(3))]
    assert result.adjustments == (Adjustment.SKU_DUPLICATE,)


@pytest.mark.parametrize("sku", ["a:::b", "a\0b", "a\ud800", "a" * 257])
def test_a_sku_that_klaviyo_cannot_store_is_left_out(sku: str) -> None:
    """A changed one could be another variant's; counted."""
    result = mapped(variant("A"), variant(sku))
    assert skus(result) == ["A"]
    assert result.adjustments == (Adjustment.SKU_UNUSABLE,)


def test_a_sku_is_sent_as_it_is() -> None:
    """Any characters that Klaviyo can store."""
    assert skus(mapped(variant(" Größe/32 & 'x' "))) == [" Größe/32 & 'x' "]


def test_a_missing_price_is_0_and_counted() -> None:
    """Once, however many variants lack one."""
    result = mapped(variant("A", None), variant("B", None), variant("C", 500))
    assert result.item.price == 0
    assert [sent.price for sent in result.variants] == [0, 0, 5]
    assert result.adjustments == (Adjustment.PRICE_MISSING,)
    assert "price_json" not in result.item.custom_metadata


def test_the_item_has_the_price_of_the_master_variant() -> None:
    """Whatever the others cost; missing there, it is missing."""
    assert mapped(variant("A", 900), variant("B", 100)).item.price == 9
    result = mapped(variant(None, None), variant("B", 100))
    assert result.item.price == 0
    assert result.adjustments == (Adjustment.PRICE_MISSING, Adjustment.VARIANT_WITHOUT_SKU)


def test_standalone_prices_count_in_their_price_mode() -> None:
    """Those of each SKU, in place of the embedded ones."""
    prices = [
        StandalonePrice(id=f"s-{sku}", sku=sku, value=Money(centAmount=cents, currencyCode="EUR"))
        for sku, cents in (("B", 200), ("A", 100))
    ]
    variants = (variant("A", 900), variant("B", 900))
    for mode, expected in (("Standalone", [1, 2]), ("Embedded", [9, 9])):
        source = ProductSource(product=product(*variants, priceMode=mode), standalone_prices=prices)
        result = product_of(source, CHOICES, NOW)
        assert [sent.price for sent in result.variants] == expected
        assert result.item.price == expected[0]


def test_unknown_stock_is_not_0_and_counted() -> None:
    """A large number without tracking; sold-out ones next to it stay sold out."""
    result = mapped(variant("A", stock=None), variant("B", stock=0))
    assert [sent.stock for sent in result.variants] == [
        UNKNOWN,
        CatalogStock(inventory_quantity=0, inventory_policy=InventoryPolicy.TRACKED),
    ]
    assert result.adjustments == (Adjustment.STOCK_UNKNOWN,)


def test_inventory_entries_come_before_the_stock_in_the_product() -> None:
    """Each for its SKU; with a channel configured, that channel's."""
    entries = [
        InventoryEntry(id="1", sku="B", availableQuantity=3),
        InventoryEntry(id="2", sku="A", availableQuantity=2),
        InventoryEntry(id="3", sku="A", supplyChannel=Reference(id="ch"), availableQuantity=0),
        InventoryEntry(id="4", sku="B", supplyChannel=Reference(id="ch"), availableQuantity=5),
    ]
    variants = (variant("A", stock=7), variant("B", stock=7))
    assert [sent.stock.inventory_quantity for sent in mapped(*variants, entries=entries).variants] == [2, 3]
    by_channel = mapped(*variants, entries=entries, choices=Choices(stock_channel_id="ch"))
    assert [sent.stock.inventory_quantity for sent in by_channel.variants] == [0, 5]


def test_a_product_without_categories_has_no_links() -> None:
    """An empty list, which clears those it had (case 66)."""
    result = mapped(categories=[])
    assert result.item.categories == ()
    assert result.categories == ()


def test_a_category_that_could_not_be_read_is_linked_without_being_named() -> None:
    """The link needs only its id."""
    result = mapped(categories=[CategoryReference(id="c-hidden"), CategoryReference(id="c-jeans", obj=JEANS)])
    assert result.item.categories == ("c-hidden", "c-jeans", "c-women")
    assert [category.external_id for category in result.categories] == ["c-jeans", "c-women"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "Blue jeans", id="the name"),
        pytest.param({"name": {"fr": "Jean bleu"}}, "Jean bleu", id="in some language"),
        pytest.param({"name": {}}, "blue-jeans", id="else the slug"),
        pytest.param({"name": {"en": " "}, "slug": {}, "key": "BJ"}, "BJ", id="else the key"),
        pytest.param({"name": {}, "slug": {}, "key": "\0"}, "p-1", id="else the id"),
    ],
)
def test_every_item_has_a_title(fields: dict[str, Any], expected: str) -> None:
    """Klaviyo requires one; the variants have the same."""
    result = mapped(**fields)
    assert result.item.title == expected
    assert result.variants[0].title == expected


@pytest.mark.parametrize("description", [{}, {"en": ""}, {"en": " "}])
def test_without_a_description_it_is_empty(description: dict[str, str]) -> None:
    """Klaviyo requires a text, if only an empty one."""
    result = mapped(description=description)
    assert result.item.description == ""
    assert result.variants[0].description == ""


def test_texts_are_in_the_preferred_locale() -> None:
    """Each falls back for itself: the description is not there in German."""
    item = mapped(choices=Choices(locale="de-AT")).item
    assert (item.title, item.description) == ("Blaue Jeans", "They are blue.")


def test_over_long_texts_are_cut_and_counted() -> None:
    """A title at 1,000 bytes, a description at 100,000, never within a character."""
    result = mapped(name={"en": "ä" * 600}, description={"en": "a" + "ä" * 60_000})
    assert result.item.title == "ä" * 500
    assert result.item.description == "a" + "ä" * 49_999
    assert Adjustment.PROPERTY_TRIMMED in result.adjustments


def test_metadata_beyond_the_limit_is_left_out_and_counted() -> None:
    """Names in very many words."""
    result = mapped(name={"en": "Jeans", "de": "a" * 120_000})
    assert list(result.item.custom_metadata) == ["slug_json", "price_json", "currency_json"]
    assert list(result.variants[0].custom_metadata) == ["slug_json", "price_json", "currency_json"]
    assert result.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_without_a_template_the_url_is_the_text_none() -> None:
    """Klaviyo requires one (case 69)."""
    result = mapped(choices=Choices())
    assert (result.item.url, result.variants[0].url) == ("None", "None")
    assert result.adjustments == ()


def test_an_item_has_the_sku_of_the_master_variant_in_its_url() -> None:
    """When that has none, the first SKU there is; without any, nothing. Each variant has its own."""
    with_sku = mapped(variant("A"), variant("B"))
    assert with_sku.item.url.endswith("/A")
    assert [sent.url.rpartition("/")[2] for sent in with_sku.variants] == ["A", "B"]
    assert mapped(variant(None), variant("B")).item.url.endswith("/B")
    assert mapped(variant(None)).item.url == "https://shop.example.com/blue-jeans/"


def test_an_over_long_url_is_none_and_counted() -> None:
    """It would lead nowhere."""
    result = mapped(slug={"en": "a" * 9_000})
    assert result.item.url == "None"
    assert result.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_a_variant_has_its_own_image_or_the_master_variants() -> None:
    """The first each; the item has the master variant's."""
    own = mapped(
        variant("A", images=(f"{IMAGES}/a.jpg",)), variant("B", images=(f"{IMAGES}/b.jpg", f"{IMAGES}/c.jpg")), variant("C")
    )
    assert own.item.image_full_url == f"{IMAGES}/a.jpg"
    assert [sent.image_full_url for sent in own.variants] == [f"{IMAGES}/a.jpg", f"{IMAGES}/b.jpg", f"{IMAGES}/a.jpg"]


def test_without_images_there_is_none() -> None:
    """A variant's image is not the item's."""
    result = mapped(variant("A"), variant("B", images=(f"{IMAGES}/b.jpg",)))
    assert result.item.image_full_url is None
    assert [sent.image_full_url for sent in result.variants] == [None, f"{IMAGES}/b.jpg"]


def test_an_image_that_no_message_can_show_gives_way_to_the_next() -> None:
    """Counted when there is no other."""
    assert mapped(variant(images=("/1.jpg", f"{IMAGES}/2.jpg"))).item.image_full_url == f"{IMAGES}/2.jpg"
    result = mapped(variant("A", images=(f"{IMAGES}/a.jpg",)), variant("B", images=("data:image/png;base64,AAAA",)))
    assert [sent.image_full_url for sent in result.variants] == [f"{IMAGES}/a.jpg", f"{IMAGES}/a.jpg"]
    assert result.adjustments == (Adjustment.IMAGE_UNUSABLE,)


def test_a_product_as_commercetools_delivers_it_can_be_read() -> None:
    """Unknown fields, references that are not expanded, and everything optional absent."""
    delivered = msgspec.json.decode(
        b'{"product":{"id":"p-1","productType":{"typeId":"product-type","id":"t"},"name":{},"slug":{},'
        b'"categories":[{"typeId":"category","id":"c"}],"masterVariant":{"id":1,"prices":[],"images":[],"attributes":[]},"variants":[]}}',
        type=ProductSource,
    )
    result = product_of(delivered, Choices(), NOW)
    assert result.item == CatalogItem(
        external_id="p-1",
        title="p-1",
        description="",
        url="None",
        price=Decimal(0),
        custom_metadata={"title_json": "{}", "slug_json": "{}"},
        categories=("c",),
    )
    assert result.adjustments == (Adjustment.PRICE_MISSING, Adjustment.VARIANT_WITHOUT_SKU)
