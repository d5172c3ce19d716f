"""Addresses: of a product's page, and of an image (mapping.md "Catalog", "Images")."""

from __future__ import annotations

import re
from urllib.parse import quote

from shared.mapping.text import sendable

NO_URL = "None"
"""What Klaviyo gets when there is no address: it requires one, and the older product sends this."""

MAX_URL_BYTES = 8_000
"""Klaviyo documents no length; what is longer is taken by no browser and no server. A cut address would lead elsewhere."""

_TOKEN = re.compile(r"\{\{(productSlug|productId|productKey|sku)\}\}")
_UNSAFE = re.compile(r'[\x00-\x20\x7f"<>\\^`{|}]')
_ABSOLUTE = re.compile(r"https?://[^/?#]", re.IGNORECASE)


def product_url(template: str, *, slug: str | None, product_id: str, key: str | None, sku: str | None) -> str:
    """`template` with every occurrence of every token replaced, each value URL-encoded; one that is absent leaves nothing.

    Without a template, or when the address would be over-long, `None` as text.
    """
    values = {"productSlug": slug, "productId": product_id, "productKey": key, "sku": sku}
    url = sendable(_TOKEN.sub(lambda token: quote(sendable(values[token[1]] or ""), safe=""), template)).strip()
    return url if url and len(url.encode()) <= MAX_URL_BYTES else NO_URL


def image_url(raw: str) -> str | None:
    """`raw` as an absolute http address that a message can use, or None when it is none.

    One without a scheme (`//images.example.com/1.jpg`) gets https; characters that no address may have are URL-encoded.
    """
    url = sendable(raw).strip()
    if url.startswith("//"):
        url = f"https:{url}"
    url = _UNSAFE.sub(lambda unsafe: quote(unsafe[0]), url)
    return url if _ABSOLUTE.match(url) and len(url.encode()) <= MAX_URL_BYTES else None
