"""The simulated project from the outside: its control API changes resources behind the product's back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from sandbox.notifications.wire import Connection

Resource = dict[str, Any]

_JSON = {"content-type": "application/json"}


class ProjectError(RuntimeError):
    """The simulator refused; carries its message."""


class ProjectControl:
    """A simulated project at `url`; reads go through its API, with the credentials and the key of its settings."""

    def __init__(
        self,
        url: str,
        project_key: str = "sandbox",
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",  # noqa: S107 - the simulator's, not a real one
    ) -> None:
        self.url = url
        self.project_key = project_key
        self._connection = Connection(url, 60.0)
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode("ascii")
        self._token = ""

    def create(self, collection: str, fields: Resource) -> Resource:
        """Add a resource; what the API sets is set. Raises `ProjectError`."""
        return self._control("POST", collection, fields)

    def change(self, collection: str, identifier: str, fields: Resource) -> Resource:
        """Replace top-level fields, None removes one. Raises `ProjectError`."""
        return self._control("PATCH", f"{collection}/{identifier}", fields)

    def delete(self, collection: str, identifier: str) -> Resource:
        """Remove a resource and return it as it was. Raises `ProjectError`."""
        return self._control("DELETE", f"{collection}/{identifier}", None)

    def get(self, collection: str, identifier: str, **parameters: str) -> Resource | None:
        """A resource as the API shows it, or None; `identifier` is its id or `key=...`."""
        return self._read(f"{collection}/{quote(identifier, safe='=')}", parameters)

    def page(self, collection: str, **parameters: str) -> list[Resource]:
        """The rows of a query, as the API answers it."""
        answer = self._read(collection, parameters)
        return [] if answer is None else list(answer["results"])

    def _read(self, path: str, parameters: Mapping[str, str]) -> Resource | None:
        query = f"?{urlencode(parameters)}" if parameters else ""
        answer = self._connection.send("GET", f"/{self.project_key}/{path}{query}", self._authorization())
        if answer.status == 404:
            return None
        return _decoded(answer.status, answer.body)

    def all(self, collection: str) -> list[Resource]:
        """Every resource of a collection, whole, in the order of their ids."""
        answer = self._connection.send("GET", f"/_sandbox/{collection}?whole=true", {})
        if answer.status != 200:
            raise ProjectError(answer.body.decode())
        return [msgspec.json.decode(line) for line in answer.body.splitlines() if line]

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _control(self, method: str, path: str, fields: Resource | None) -> Resource:
        body = None if fields is None else msgspec.json.encode(fields)
        answer = self._connection.send(method, f"/_sandbox/{path}", _JSON, body)
        return _decoded(answer.status, answer.body)

    def _authorization(self) -> dict[str, str]:
        if not self._token:
            headers = {"authorization": f"Basic {self._basic}", "content-type": "application/x-www-form-urlencoded"}
            answer = self._connection.send("POST", "/oauth/token", headers, b"grant_type=client_credentials")
            self._token = str(_decoded(answer.status, answer.body)["access_token"])
        return {"authorization": f"Bearer {self._token}"}


def _decoded(status: int, body: bytes) -> Resource:
    if status not in (200, 201):
        raise ProjectError(f"{status}: {body.decode()}")
    return msgspec.json.decode(body, type=dict[str, Any])
