"""The vendors' own API documents: they are not ours to ship, so tests that need one look for it beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared"
"""Where this folder is, the documents are expected in it."""

ABSENT = "vendor contract"
"""How the reason of every skip for want of a document begins."""

NO_TERRAFORM_CHECK = "terraform-check is not here"
"""How the reason begins where the stand-in for Terraform's provider is absent, which is expected beside the documents."""


def vendor_contract(name: str) -> Path:
    """Where the document of that name is, or would be."""
    return BESIDE / "contracts" / name


def needs_vendor_contract(*names: str) -> pytest.MarkDecorator:
    """Skips what it marks where a document is absent, and says which."""
    absent = [name for name in names if not vendor_contract(name).is_file()]
    reason = f"{ABSENT} {', '.join(absent)} is not here; nothing was compared with it"
    return pytest.mark.skipif(bool(absent), reason=reason)
