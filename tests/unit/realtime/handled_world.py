"""A shop in a simulated project, a simulated Klaviyo, and the handling of notifications between them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
from write_world import WriteWorld

from sandbox.notifications.drafts import product_draft
from sandbox.notifications.project import ProjectControl
from sandbox.notifications.shop import Act, Shop
from shared.budget import budget_of
from shared.commercetools.client import open_commercetools
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.limiter import Limiter
from shared.realtime.app import RealtimeApp
from shared.realtime.notification import notification_of
from shared.realtime.process import handle_notification
from shared.realtime.reading import Sources
from shared.realtime.replay import notification_of_letter
from shared.realtime.verdict import Outcome, Verdict
from shared.settings import load
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters


class Meanwhile(httpx.BaseTransport):
    """Passes requests on; before some of them something else happens, which may itself send requests."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self._planned: list[tuple[str, Callable[[], object]]] = []
        self._afterwards: list[tuple[str, Callable[[], object]]] = []

    def before(self, request: str, action: Callable[[], object]) -> None:
        """Do something once, right before the next request that begins so (`POST /api/catalog-categories`)."""
        self._planned.append((request, action))

    def after(self, request: str, action: Callable[[], object]) -> None:
        """The same, right after that request was answered."""
        self._afterwards.append((request, action))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = f"{request.method} {request.url.path}"
        if self._planned and name.startswith(self._planned[0][0]):
            self._planned.pop(0)[1]()
        response = self._inner.handle_request(request)
        if self._afterwards and name.startswith(self._afterwards[0][0]):
            self._afterwards.pop(0)[1]()
        return response


class HandledWorld:
    """`shop` acts and says what commercetools would send, `klaviyo` is the account, `meanwhile` stands before it."""

    def __init__(self, shop_url: str, state: Path) -> None:
        self._control = httpx.Client(base_url=f"{shop_url}/_sandbox", timeout=60, trust_env=False)
        self._control.delete("/faults").raise_for_status()
        self._control.post("/reset").raise_for_status()
        self._project = ProjectControl(shop_url)
        self.shop = Shop(self._project, Random(5))
        self.klaviyo = WriteWorld()
        self.meanwhile = Meanwhile(self.klaviyo.transport)
        http = httpx.Client(transport=self.meanwhile, base_url="http://klaviyo.test")
        client = KlaviyoClient(http, "pk_sandbox", Limiter(monotonic=self.klaviyo.time.monotonic), attempts=3, rng=lambda: 0.0)
        settings = load(
            {
                "CT_API_URL": shop_url,
                "CT_AUTH_URL": shop_url,
                "CT_PROJECT_ID": "sandbox",
                "CT_API_CLIENT": '{"clientId": "sandbox-client", "secret": "sandbox-secret"}',
                "KLAVIYO_AUTH_KEY": "pk_sandbox",
                "STATE_PATH": str(state),
            }
        )
        self._commercetools = open_commercetools(
            api_url=shop_url,
            auth_url=shop_url,
            project_id="sandbox",
            client_id="sandbox-client",
            secret="sandbox-secret",
        )
        self._database = Database(state)
        self.app = RealtimeApp(
            settings=settings,
            sources=Sources(self._commercetools, settings.mapping),
            klaviyo=client,
            dead_letters=SqliteDeadLetters(self._database),
            now=lambda: datetime.now(UTC),
        )
        self._drafts = 0

    def close(self) -> None:
        self._database.close()
        self._commercetools.close()
        self._project.close()
        self._control.close()

    def deliver(self, *acts: Act) -> list[Verdict]:
        """What becomes of all that the acts tell, one notification after the other."""
        told = [notification for act in acts for notification in act.notifications]
        return [handle_notification(self.app, notification_of(msgspec.json.encode(one))) for one in told]

    def replay(self) -> list[Verdict]:
        """What becomes of all dead letters when they are replayed, oldest first."""
        letters = self.app.dead_letters.newest(budget_of(5.0))
        notifications = [notification_of_letter(letter) for letter in reversed(letters)]
        return [handle_notification(self.app, notification) for notification in notifications if notification is not None]

    def done(self, *acts: Act) -> None:
        """The same where nothing may go wrong; what is not handled at all is."""
        outcomes = {verdict.outcome for verdict in self.deliver(*acts)}
        assert outcomes <= {Outcome.DONE, Outcome.SKIPPED}, outcomes

    def category(self, name: str, parent: dict[str, Any] | None = None) -> Act:
        """A new category."""
        return self.shop.create_category({"en": name}, name.lower(), parent)

    def product(self, *categories: str, variants: int = 1, sku: str | None = None) -> Act:
        """A new published product in the categories with these ids; `sku` is its master variant's."""
        self._drafts += 1
        draft = product_draft(3, self._drafts, published=True, categories=categories, variants=variants)
        if sku is not None:
            draft["masterData"]["current"]["masterVariant"]["sku"] = sku
        return self.shop.create_product(**draft)

    def order(self, product: dict[str, Any], **how: Any) -> Act:
        """A new order of the product."""
        return self.shop.place_order([self.shop.bought(product, 0, 1)], **how)

    def fails(self, *rules: dict[str, Any]) -> None:
        """Replace commercetools' faults; none without arguments."""
        self._control.post("/faults", json=list(rules)).raise_for_status()

    def reads(self) -> dict[str, int]:
        """How often each kind of path of commercetools was read since the last time, without tokens."""
        counts: dict[str, int] = {}
        for entry in self._control.get("/requests").json()["requests"]:
            if entry["endpoint"] != "oauth/token":
                counts[entry["endpoint"]] = counts.get(entry["endpoint"], 0) + entry["count"]
        self._control.delete("/requests").raise_for_status()
        return counts

    def names(self) -> dict[str, str]:
        """The categories in Klaviyo: names by id."""
        return {key: entry.attributes()["name"] for key, entry in self.klaviyo.catalog("category").items()}

    def links(self, product_id: str) -> set[str]:
        """The categories that the item links to, by Klaviyo's compound ids."""
        return set(self.klaviyo.catalog("item")[product_id].categories)

    def metrics(self) -> list[str]:
        """The metrics of the events sent, in their order."""
        sent = [seen.body for seen in self.klaviyo.transport.seen if (seen.method, seen.path) == ("POST", "/api/events")]
        return [body["data"]["attributes"]["metric"]["data"]["attributes"]["name"] for body in sent]
