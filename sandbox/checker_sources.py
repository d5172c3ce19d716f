"""What the checkers read: every resource of the simulated project, and everything the simulated Klaviyo has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from sandbox.launch import HTTP


def resources(commercetools_url: str, collection: str, fields: str = "") -> Iterator[dict[str, Any]]:
    """Every resource of a collection as it is now, whole or with these `fields` (`id,name`) of it."""
    return lines(f"{commercetools_url}/_sandbox/{collection}?" + (f"fields={fields}" if fields else "whole=true"))


def stored(klaviyo_url: str, what: str, *, full: bool = True) -> Iterator[dict[str, Any]]:
    """All `profiles`, `events` or objects of the `catalog`, with everything stored if `full`."""
    return lines(f"{klaviyo_url}/_sandbox/{what}/dump?full={int(full)}")


def lines(url: str) -> Iterator[dict[str, Any]]:
    """The objects of an answer that has one JSON object a line."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    with HTTP.stream("GET", url, timeout=300.0) as response:
        response.raise_for_status()
        rest = b""
        for chunk in response.iter_bytes():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if line:
                    yield decoder.decode(line)
        if rest:
            yield decoder.decode(rest)
