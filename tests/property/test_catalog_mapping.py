"""Whatever commercetools holds of a product, what is sent is exact, deterministic, and as Klaviyo's contract wants it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import contracts
from shared.commercetools.catalog import (
    AncestorReference,
    Availability,
    Category,
    CategoryName,
    CategoryReference,
    ChannelAvailability,
    DiscountedPrice,
    Image,
    InventoryEntry,
    Money,
    Price,
    ProductProjection,
    Reference,
    StandalonePrice,
    Variant,
)
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogVariant
from shared.klaviyo.catalog_requests import (
    create_category,
    create_item,
    create_variant,
    rename_category,
    update_item,
    update_variant,
)
from shared.mapping.category import category_ids, category_paths
from shared.mapping.choices import Choices
from shared.mapping.localized import localized
from shared.mapping.metadata import MAX_METADATA_BYTES
from shared.mapping.money import amount_of
from shared.mapping.price import MISSING, price_of, sale_amount
from shared.mapping.product import product_of
from shared.mapping.result import Adjustment
from shared.mapping.sources import ProductSource
from shared.mapping.stock import is_unknown, stock_of_entries
from shared.settings.document import ProductPrice, ProductRules, SyncDocument

ANY_CHARACTER = st.characters(codec=None)  # lone surrogates and NUL too
TEXT = st.text(ANY_CHARACTER, max_size=12) | st.builds(
    lambda text, times: text * times, st.text(ANY_CHARACTER, max_size=3), st.integers(0, 40_000)
)
LOCALES = st.sampled_from(["de", "de-AT", "de_CH", "DE-DE", "en", "en-US", "fr"]) | st.text(ANY_CHARACTER, max_size=4)
LOCALIZED = st.dictionaries(LOCALES, TEXT, max_size=4)
LARGEST = 2**53

CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD"])
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
MONEY = st.builds(
    lambda cents, currency: Money(centAmount=cents, currencyCode=currency, fractionDigits=DIGITS[currency]),
    st.integers(-LARGEST, LARGEST),
    CURRENCIES,
) | st.builds(
    Money,
    centAmount=st.integers(0, LARGEST),
    currencyCode=CURRENCIES,
    fractionDigits=st.integers(-2, 22),
    preciseAmount=st.integers(0, LARGEST),
)
NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
DATES = (
    st.sampled_from([-2, -1, 0, 1, 2]).map(lambda days: (NOW + timedelta(days=days)).isoformat().replace("+00:00", "Z"))
    | st.sampled_from(["2026-06-15", "2026-06-15T12:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", ""])
    | TEXT
)
IDS = st.sampled_from(["a", "b", "c", ""])
REFERENCES = st.none() | st.builds(Reference, id=IDS)
PRICE_FIELDS: dict[str, Any] = {
    "value": MONEY,
    "country": st.none() | st.sampled_from(["DE", "AT", ""]),
    "customerGroup": REFERENCES,
    "channel": REFERENCES,
    "validFrom": st.none() | DATES,
    "validUntil": st.none() | DATES,
    "discounted": st.none() | st.builds(DiscountedPrice, value=MONEY),
    "recurrencePolicy": REFERENCES,
}
PRICES = st.lists(st.builds(Price, **PRICE_FIELDS), max_size=5)
SKUS = st.sampled_from(["A", "B", "C/Ö &", "a:::b", " "]) | TEXT
QUANTITIES = st.integers(-5, 5) | st.integers(0, LARGEST)
AVAILABILITY = st.builds(
    Availability,
    availableQuantity=st.none() | QUANTITIES,
    channels=st.dictionaries(IDS, st.builds(ChannelAvailability, availableQuantity=st.none() | QUANTITIES), max_size=2),
)
VARIANTS = st.builds(
    Variant,
    sku=st.none() | SKUS,
    prices=PRICES,
    images=st.lists(
        st.builds(Image, url=st.sampled_from(["https://images.example.com/a b.jpg", "//x/1", "/1.jpg"]) | TEXT), max_size=2
    ),
    availability=st.none() | AVAILABILITY,
)
CATEGORY_IDS = st.sampled_from([f"category-{number}" for number in range(5)])
ANCESTORS = st.lists(
    CATEGORY_IDS.flatmap(
        lambda category_id: st.builds(
            AncestorReference,
            id=st.just(category_id),
            obj=st.none() | st.builds(CategoryName, id=st.just(category_id), name=LOCALIZED),
        )
    ),
    max_size=3,
)
CATEGORIES = st.builds(Category, id=CATEGORY_IDS, name=LOCALIZED, ancestors=ANCESTORS)
LINKS = st.lists(
    CATEGORIES.map(lambda category: CategoryReference(id=category.id, obj=category))
    | st.builds(CategoryReference, id=CATEGORY_IDS),
    max_size=3,
)
PRODUCTS = st.builds(
    ProductProjection,
    id=st.uuids().map(str),
    key=st.none() | TEXT,
    name=LOCALIZED,
    slug=LOCALIZED,
    description=LOCALIZED,
    categories=LINKS,
    masterVariant=VARIANTS,
    variants=st.lists(VARIANTS, max_size=3),
    priceMode=st.sampled_from(["Embedded", "Standalone", ""]),
)
ENTRIES = st.lists(
    st.builds(InventoryEntry, id=IDS, sku=SKUS, supplyChannel=REFERENCES, availableQuantity=QUANTITIES), max_size=4
)
SOURCES = st.builds(
    ProductSource,
    product=PRODUCTS,
    entries=st.none() | ENTRIES,
    standalone_prices=st.lists(st.builds(StandalonePrice, id=IDS, sku=SKUS, active=st.booleans(), **PRICE_FIELDS), max_size=4),
)
CHOICES = st.builds(
    lambda country, **more: Choices(document=SyncDocument(product=ProductRules(price=ProductPrice(country=country))), **more),
    country=st.sampled_from(["", "DE", "AT"]),
    locale=st.sampled_from(["", "de-AT", "en", "DE_at"]),
    currency=st.just("") | CURRENCIES,
    url_template=st.sampled_from(["", "https://shop.example.com/{{productSlug}}/{{sku}}?k={{productKey}}&i={{productId}}"]),
    price_channel_id=IDS,
    price_group_id=IDS,
    stock_channel_id=IDS,
)

reproducible = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class Contract:
    """Klaviyo's strict contract, one validator for each body."""

    def __init__(self) -> None:
        self._document = msgspec.json.decode(Path(contracts.__file__).with_name("klaviyo.json").read_bytes())
        self._validators: dict[str, Any] = {}

    def check(self, schema: str, body: bytes) -> Any:
        """Hold a body against its schema; raises ValidationError where it breaks it. The decoded body."""
        if schema not in self._validators:
            named = {"$ref": f"#/$defs/{schema}", "$defs": self._document["$defs"]}
            self._validators[schema] = jsonschema_rs.Draft202012Validator(named, validate_formats=True)
        decoded = msgspec.json.decode(body)
        self._validators[schema].validate(decoded)
        return decoded


CONTRACT = Contract()


def check_text(text: str, max_bytes: int = 100_000) -> None:
    """A text that Klaviyo takes."""
    assert "\0" not in text
    assert len(text.encode()) <= max_bytes  # fails for a half character, too


def check_category(category: CatalogCategory) -> None:
    """A category in the bodies that create and rename it."""
    CONTRACT.check("CatalogCategoryCreateQuery", create_category(category).body)
    CONTRACT.check("CatalogCategoryUpdateQuery", rename_category(category).body)
    assert category.name
    check_text(category.name)


def check_common(sent: CatalogItem | CatalogVariant) -> None:
    """What items and variants have in common."""
    assert sent.title
    assert sent.url
    for text in (sent.title, sent.description, sent.url, sent.image_full_url or ""):
        check_text(text)
    assert sent.image_full_url is None or sent.image_full_url.lower().startswith(("https://", "http://"))
    assert len(msgspec.json.encode(sent.custom_metadata)) <= MAX_METADATA_BYTES
    for text in sent.custom_metadata.values():
        assert isinstance(msgspec.json.decode(text), dict)


@reproducible
@given(SOURCES, CHOICES)
def test_a_product_is_always_as_the_contract_wants_it(source: ProductSource, choices: Choices) -> None:
    """Item, variants and categories, created or updated; within the limits; what is absent is counted."""
    mapped = product_of(source, choices, NOW)
    created = CONTRACT.check("CatalogItemCreateQuery", create_item(mapped.item).body)
    CONTRACT.check("CatalogItemUpdateQuery", update_item(mapped.item).body)
    assert created["data"]["attributes"]["title"] == mapped.item.title
    check_common(mapped.item)
    for variant in mapped.variants:
        CONTRACT.check("CatalogVariantCreateQuery", create_variant(variant).body)
        CONTRACT.check("CatalogVariantUpdateQuery", update_variant(variant).body)
        check_common(variant)
        assert variant.item_id == source.product.id
        assert variant.external_id == variant.sku
        assert variant.stock.inventory_quantity >= 0
    for category in mapped.categories:
        check_category(category)
    sent = [variant.sku for variant in mapped.variants]
    assert len(sent) == len(set(sent))
    assert set(sent) <= {variant.sku for variant in source.product.all_variants}
    assert {category.external_id for category in mapped.categories} <= set(mapped.item.categories)
    left_out = {Adjustment.VARIANT_WITHOUT_SKU, Adjustment.SKU_UNUSABLE, Adjustment.SKU_DUPLICATE} & set(mapped.adjustments)
    assert bool(left_out) == (len(sent) < len(source.product.all_variants))
    assert (Adjustment.STOCK_UNKNOWN in mapped.adjustments) == any(is_unknown(variant.stock) for variant in mapped.variants)


@reproducible
@given(SOURCES, CHOICES)
def test_the_same_product_is_mapped_the_same(source: ProductSource, choices: Choices) -> None:
    """Nothing but the arguments decides, and these are not changed."""
    before = repr(source), repr(choices)
    assert product_of(source, choices, NOW) == product_of(source, choices, NOW)
    assert (repr(source), repr(choices)) == before


@reproducible
@given(SOURCES, CHOICES, st.randoms(use_true_random=False))
def test_the_order_of_reading_does_not_matter(source: ProductSource, choices: Choices, random: Any) -> None:
    """Standalone prices, each under an id of its own, may come in any order."""
    prices = [msgspec.structs.replace(price, id=f"{number}") for number, price in enumerate(source.standalone_prices)]
    ordered = msgspec.structs.replace(source, standalone_prices=prices)
    shuffled = msgspec.structs.replace(source, standalone_prices=random.sample(prices, len(prices)))
    assert product_of(shuffled, choices, NOW) == product_of(ordered, choices, NOW)


@reproducible
@given(PRICES, CHOICES)
def test_a_chosen_price_is_one_of_the_prices_or_missing(prices: list[Price], choices: Choices) -> None:
    """In the preferred currency, valid, and for nobody else; never an error."""
    chosen = price_of(prices, choices, NOW)
    if chosen.missing:
        assert chosen == MISSING
        return
    assert choices.currency in ("", chosen.currency)
    country = choices.document.product.price.country
    assert any(
        (sale_amount(price), price.value.currencyCode) == (chosen.amount, chosen.currency)
        and (price.country is None or price.country == country)
        and (price.channel is None or price.channel.id == choices.price_channel_id)
        and (price.customerGroup is None or price.customerGroup.id == choices.price_group_id)
        for price in prices
    )


@reproducible
@given(PRICES, CHOICES, MONEY)
def test_a_general_price_is_never_missed(prices: list[Price], choices: Choices, money: Money) -> None:
    """With one in the preferred currency, or in the first place where none is preferred, there is always a price."""
    general = Price(value=money)
    assert not price_of([general, *prices], preferring(choices, money.currencyCode), NOW).missing
    assert not price_of([general, *prices], preferring(choices, ""), NOW).missing


def preferring(choices: Choices, currency: str) -> Choices:
    """The same choices with another preferred currency."""
    return Choices(choices.document, choices.locale, currency, "", choices.price_channel_id, choices.price_group_id)


@reproducible
@given(MONEY)
def test_money_is_exact_and_stays_so_in_json(money: Money) -> None:
    """Times ten to the digits it is the integer it came from; so is the number that a strict reader finds in the body."""
    amount = amount_of(money)
    units = money.centAmount if money.preciseAmount is None else money.preciseAmount
    digits = min(max(money.fractionDigits, 0), 20)
    assert amount * 10**digits == units
    encoded = msgspec.json.Encoder(decimal_format="number").encode(amount)
    assert not encoded.startswith(b'"')
    assert msgspec.json.decode(encoded, type=Decimal) == amount


@reproducible
@given(LOCALIZED, st.sampled_from(["", "de-AT", "de", "en-GB", "x_y"]) | TEXT)
def test_a_text_is_found_whenever_there_is_one(values: dict[str, str], preferred: str) -> None:
    """Whatever is preferred; and it is one that can be sent."""
    text = localized(values, preferred)
    assert (text is None) == all(not value.replace("\0", "").strip() for value in values.values())
    if text is not None:
        check_text(text, max_bytes=1_000_000)
        assert text == text.strip()


@reproducible
@given(LINKS)
def test_links_and_paths_are_unique(links: list[CategoryReference]) -> None:
    """And the direct categories come first."""
    ids = category_ids(links)
    assert len(ids) == len(set(ids))
    direct = list(dict.fromkeys(link.id for link in links))
    assert list(ids[: len(direct)]) == direct
    paths = category_paths([link.obj for link in links if link.obj], "de")
    assert len(paths) == len(set(paths))


@reproducible
@given(ENTRIES, CHOICES)
def test_stock_is_that_of_an_entry_or_unknown(entries: list[InventoryEntry], choices: Choices) -> None:
    """Never negative, never that of another channel."""
    stock = stock_of_entries(entries, choices)
    quantities = [
        max(entry.availableQuantity, 0)
        for entry in entries
        if (entry.supplyChannel.id if entry.supplyChannel else "") == choices.stock_channel_id
    ]
    assert stock.inventory_quantity in quantities if not is_unknown(stock) else not quantities
