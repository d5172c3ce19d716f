"""A simulated Klaviyo in-process, on a clock that tests move; every success answer is checked by the vendor's contract."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import jsonschema_rs
from starlette.applications import Starlette
from vendor_contracts import vendor_contract

from sandbox.contracts.derive import strict
from sandbox.klaviyo import KlaviyoSandboxSettings, create_app
from sandbox.klaviyo.contract import load

VENDOR_DOCUMENT = vendor_contract("klaviyo-openapi.json")
HEADERS = {
    "Authorization": "Klaviyo-API-Key pk_sandbox",
    "revision": "2026-07-15",
    "Content-Type": "application/vnd.api+json",
}
START = 1_800_000_000.0  # a whole minute


def _opened(schema: Any) -> Any:
    """Open the inline members of a composition, and leave out its references: each knows only its own fields."""
    if isinstance(schema, list):
        return [_opened(child) for child in schema]
    if not isinstance(schema, dict):
        return schema
    inline = [member for member in schema.get("allOf", ()) if "$ref" not in member]
    if not inline:
        return {name: _opened(child) for name, child in schema.items()}
    return {"allOf": [{k: v for k, v in member.items() if k == "required"} for member in inline]}


class ResponseSchemas:
    """The vendor's schemas of success answers, made strict: the simulator may not invent fields either."""

    def __init__(self) -> None:
        document = json.loads(VENDOR_DOCUMENT.read_text(encoding="utf-8"))
        self._paths = document["paths"]
        self._definitions = {name: _opened(strict(body)) for name, body in document["components"]["schemas"].items()}
        self._validators: dict[str, Any] = {}

    def check(self, method: str, template: str, status: int, body: Any) -> None:
        responses = self._paths[template][method.lower()]["responses"]
        schema = next(iter(responses[str(status)]["content"].values()))["schema"]
        name = schema["$ref"].rsplit("/", 1)[1]
        if name not in self._validators:
            document = {"$ref": f"#/$defs/{name}", "$defs": self._definitions}
            self._validators[name] = jsonschema_rs.Draft202012Validator(document, validate_formats=True)
        self._validators[name].validate(body)


@dataclass
class Bench:
    """One simulator and everything a test needs to speak to it."""

    settings: KlaviyoSandboxSettings
    schemas: ResponseSchemas | None
    now: float = START
    slept: list[float] = field(default_factory=list)
    app: Starlette = field(init=False)

    def __post_init__(self) -> None:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += seconds

        self.app = create_app(self.settings, clock=lambda: self.now, sleep=sleep)

    @property
    def account(self) -> Any:
        return self.app.state.account

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str | None] | None = None,
        content: bytes | None = None,
        **params: str,
    ) -> httpx.Response:
        sent = {name: value for name, value in {**HEADERS, **(headers or {})}.items() if value is not None}
        if body is not None:
            content = json.dumps(body).encode()

        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://klaviyo.test") as client:
                return await client.request(method, path, content=content, headers=sent, params=params or None)

        response = asyncio.run(go())
        self._check(method, path, response)
        return response

    def post_many(self, path: str, bodies: list[Any]) -> set[int]:
        """The statuses of many requests, without the cost of a client for each."""

        async def go() -> set[int]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://klaviyo.test", headers=HEADERS) as client:
                return {(await client.post(path, content=json.dumps(body))).status_code for body in bodies}

        return asyncio.run(go())

    def get(self, path: str, **params: str) -> Any:
        response = self.call("GET", path, **params)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.call("POST", path, body)

    def _check(self, method: str, path: str, response: httpx.Response) -> None:
        if not response.is_success or path.startswith("/_sandbox"):
            return
        routed = load().route(method, path.split("?")[0])
        assert routed is not None
        operation = routed[0]
        assert response.status_code in operation.success
        assert bool(response.content) == operation.success[response.status_code]
        if response.content and self.schemas is not None:
            self.schemas.check(method, operation.path, response.status_code, response.json())

    def effects(self) -> list[tuple[str, str]]:
        self.account.backlog.settle_at_once(self.now)
        return [(effect.kind, effect.identity) for effect in self.account.ledger.effects()]


def profile(**attributes: Any) -> dict[str, Any]:
    return {"type": "profile", "attributes": attributes}


def import_body(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": list(rows)}}}}


def errors(response: httpx.Response) -> list[tuple[str, str | None]]:
    """The (code, pointer or parameter) of each error of a refusal."""
    found = []
    for entry in response.json()["errors"]:
        assert {"id", "status", "code", "title", "detail", "source", "links", "meta"} == set(entry)
        assert entry["status"] == response.status_code
        found.append((entry["code"], entry["source"].get("pointer", entry["source"].get("parameter"))))
    return found
