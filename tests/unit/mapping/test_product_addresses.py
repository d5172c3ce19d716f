"""Where a product's page and its images are (mapping.md "Catalog", "Images"; case 69)."""

from __future__ import annotations

import pytest

from shared.mapping.product_url import MAX_URL_BYTES, NO_URL, image_url, product_url

SHOP = "https://shop.example.com"


def url(template: str, *, slug: str | None = "blue-jeans", key: str | None = "BJ", sku: str | None = "BJ-32") -> str:
    """The address of one product."""
    return product_url(template, slug=slug, product_id="p-1", key=key, sku=sku)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", "None"),
        ("  ", "None"),
        (SHOP + "/p/{{productSlug}}", SHOP + "/p/blue-jeans"),
        (SHOP + "/p/{{productId}}", SHOP + "/p/p-1"),
        (SHOP + "/p/{{productKey}}", SHOP + "/p/BJ"),
        (SHOP + "/p?sku={{sku}}", SHOP + "/p?sku=BJ-32"),
        (SHOP + "/{{productSlug}}/{{sku}}?from={{productSlug}}", SHOP + "/blue-jeans/BJ-32?from=blue-jeans"),
        (SHOP + "/sale", SHOP + "/sale"),
    ],
)
def test_every_occurrence_of_every_token_is_replaced(template: str, expected: str) -> None:
    """Without a template the address is the text `None`."""
    assert url(template) == expected


def test_values_are_url_encoded() -> None:
    """Whatever they hold, they stay one part of the path."""
    encoded = url(SHOP + "/{{productSlug}}/{{sku}}", slug="hose/größe 32?", sku="a&b#c%\0\ud800")
    assert encoded == SHOP + "/hose%2Fgr%C3%B6%C3%9Fe%2032%3F/a%26b%23c%25%EF%BF%BD"


def test_a_value_that_looks_like_a_token_is_none() -> None:
    """Replaced once, not again."""
    assert url(SHOP + "/{{productSlug}}", slug="{{sku}}") == SHOP + "/%7B%7Bsku%7D%7D"


def test_an_absent_value_leaves_nothing() -> None:
    """The rest of the address still leads into the shop."""
    assert url(SHOP + "/{{productSlug}}/{{sku}}?k={{productKey}}", sku=None, key=None) == SHOP + "/blue-jeans/?k="
    assert url(SHOP + "/{{productSlug}}", slug=None) == SHOP + "/"


def test_an_over_long_address_is_none() -> None:
    """A cut one would lead elsewhere."""
    assert url("{{productSlug}}", slug="a" * MAX_URL_BYTES) == "a" * MAX_URL_BYTES
    assert url("{{productSlug}}", slug="a" * (MAX_URL_BYTES + 1)) == NO_URL


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://images.example.com/1.jpg", "https://images.example.com/1.jpg"),
        ("HTTP://images.example.com/1.jpg", "HTTP://images.example.com/1.jpg"),
        (" https://images.example.com/1.jpg\n", "https://images.example.com/1.jpg"),
        ("//images.example.com/1.jpg", "https://images.example.com/1.jpg"),
        ("https://images.example.com/a b\0\t<1>.jpg", "https://images.example.com/a%20b%09%3C1%3E.jpg"),
        ("https://images.example.com/a%20b.jpg?w=1&h={2}", "https://images.example.com/a%20b.jpg?w=1&h=%7B2%7D"),
        ("https://images.example.com/größe.jpg", "https://images.example.com/größe.jpg"),
    ],
)
def test_an_image_has_an_absolute_address(raw: str, expected: str) -> None:
    """What no address may have is encoded, the rest stays as it is."""
    assert image_url(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "",
        " ",
        "/1.jpg",
        "1.jpg",
        "images.example.com/1.jpg",
        "https://",
        "//",
        "https:///1.jpg",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "ftp://images.example.com/1.jpg",
        "https://images.example.com/" + "a" * MAX_URL_BYTES,
    ],
)
def test_what_no_message_can_show_is_no_image(raw: str) -> None:
    """Relative, of another scheme, or over-long."""
    assert image_url(raw) is None
