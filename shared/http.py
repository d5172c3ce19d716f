"""A request and an answer as the product sees them; `functions/http.py` stands between them and the web framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.errors import SyncError


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request; `headers` have lower-case names, `query` the first value of each name.

    A `body` that is larger than the function allows is cut off one byte beyond that limit. It is empty where the function
    reads it itself, by `ReadBody`.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An answer: JSON, or HTML for the status page."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class BodyLost(SyncError):
    """The caller hung up before the whole body had arrived."""


Answer: TypeAlias = Callable[[ApiRequest], ApiResponse]

ReadBody: TypeAlias = Callable[[], bytes]
"""Reads the body that is still on its way, once. Raises `BodyLost`."""

AnswerUnread: TypeAlias = Callable[[ApiRequest, ReadBody], ApiResponse]
