"""The errors that unreadable content raises."""

from __future__ import annotations

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises for content that is not what it should be: another form, no JSON, no UTF-8, nested too deeply."""
