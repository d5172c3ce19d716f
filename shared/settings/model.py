"""The settings object: frozen, complete, checked. Whoever holds one never looks at the environment again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from shared.settings.document import SyncDocument
from shared.settings.secret import Secret


class AppType(StrEnum):
    """Which server alone is to be started."""

    EVENT = "EVENT"
    BULK_IMPORT = "BULK_IMPORT"


class StateBackend(StrEnum):
    """Where runs and batches are recorded."""

    SQLITE = "sqlite"
    FIRESTORE = "firestore"


class QueueBackend(StrEnum):
    """What carries the batches."""

    SQLITE = "sqlite"
    PUBSUB = "pubsub"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogFormat(StrEnum):
    """How a line is written."""

    JSON = "json"
    TEXT = "text"


class SubscriptionDestination(StrEnum):
    """Where commercetools delivers on Connect."""

    GOOGLE_PUBSUB = "GoogleCloudPubSub"
    SNS = "SNS"


@dataclass(frozen=True, slots=True)
class CommercetoolsSettings:
    """The commercetools project and our API client; URLs without a trailing slash, no `scopes`: whatever the client has."""

    api_url: str
    auth_url: str
    project_id: str
    client_id: str = field(repr=False)
    client_secret: Secret
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KlaviyoSettings:
    """The Klaviyo account; `rate_share` (0..1] is the part of its limits that this process may use."""

    api_url: str
    auth_key: Secret
    rate_share: float


@dataclass(frozen=True, slots=True)
class MappingSettings:
    """What the mapping lets a merchant choose; an empty text means no choice."""

    product_url_template: str
    preferred_locale: str
    preferred_currency: str
    document: SyncDocument


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Which servers run where."""

    app_type: AppType | None
    connect_env: str
    pub_sub_port: int
    bulk_import_port: int
    bind_host: str
    skip_base64_decode: bool


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who may call us; an empty text or None means not set."""

    bulk_import_api_key: Secret | None
    push_service_account: str
    push_audience: str
    local_task_key: Secret | None


@dataclass(frozen=True, slots=True)
class StateSettings:
    """Where state and queue live, and how many batches the local pump works at once."""

    state_backend: StateBackend
    queue_backend: QueueBackend
    state_path: Path
    workers: int


@dataclass(frozen=True, slots=True)
class GoogleSettings:
    """Where the Google Cloud adapters find their things; an empty `project` means that of the credentials."""

    project: str
    name_prefix: str
    firestore_database: str


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """Time budgets of one invocation, in seconds (decisions.md 5)."""

    realtime_deadline_s: float
    worker_deadline_s: float


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """How much is logged, and in which form."""

    level: LogLevel
    format: LogFormat


@dataclass(frozen=True, slots=True)
class ConnectSettings:
    """What commercetools Connect tells its scripts."""

    destination: SubscriptionDestination | None
    gcp_topic_name: str
    gcp_project_id: str
    aws_topic_arn: str


@dataclass(frozen=True, slots=True)
class RemovalSettings:
    """What it takes to remove the subscriptions of `connect_env`; a destination, if there is one, is complete."""

    commercetools: CommercetoolsSettings
    connect_env: str
    connect: ConnectSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the product is told from outside (configuration.md)."""

    commercetools: CommercetoolsSettings
    klaviyo: KlaviyoSettings
    mapping: MappingSettings
    serve: ServeSettings
    access: AccessSettings
    state: StateSettings
    google: GoogleSettings
    budgets: BudgetSettings
    logging: LoggingSettings
    connect: ConnectSettings
    k_service: str
    on_connect: bool

    @property
    def on_google_cloud(self) -> bool:
        """Whether Cloud Run runs us, and so guards the endpoint."""
        return bool(self.k_service)

    @property
    def hosted(self) -> bool:
        """Whether a platform runs us that guards the endpoint and whose disk does not last: Cloud Run, or Connect (ADR 0018)."""
        return self.on_google_cloud or self.on_connect


def serves_realtime(serve: ServeSettings) -> bool:
    """Whether the realtime server is to run: unless `APP_TYPE` asks for the import alone; always with a `CONNECT_ENV`."""
    return serve.app_type in (None, AppType.EVENT) or bool(serve.connect_env)


def serves_bulk(serve: ServeSettings) -> bool:
    """Whether the import API is to run: unless `APP_TYPE` asks for realtime alone; never with a `CONNECT_ENV`."""
    return serve.app_type in (None, AppType.BULK_IMPORT) and not serve.connect_env
