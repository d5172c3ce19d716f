"""Name and version of the product, as the two APIs see them."""

from __future__ import annotations

VERSION = "0.1.0"
USER_AGENT = f"commercetools-klaviyo-sync/{VERSION}"
