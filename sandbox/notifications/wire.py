"""One kept HTTP connection of the standard library: a storm must not spend its time in its own client."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


class NoAnswer(Exception):
    """The server refused, broke off, or took too long; the text is the name of the fault."""


class Connection:
    """Keeps one connection to the host of `url` while the server does; not for several threads at once.

    Raises ValueError when `url` is not plain http.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError("the address must be http://HOST:PORT/PATH")
        self.path = parts.path or "/"
        self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """The answer. A kept connection that the server has closed meanwhile is no failure. Raises `NoAnswer`."""
        kept = self._http.sock is not None
        try:
            return self._exchange(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            if not kept or isinstance(error, TimeoutError):
                raise NoAnswer(type(error).__name__) from error
        try:
            return self._exchange(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise NoAnswer(type(error).__name__) from error

    def close(self) -> None:
        """Let go of it."""
        self._http.close()

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        self._http.request(method, path, body, dict(headers))
        with self._http.getresponse() as answer:
            return Answer(answer.status, answer.read())
