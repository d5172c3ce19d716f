"""The settings: one frozen object, loaded once from the environment; nothing else in the product reads it (configuration.md)."""

from shared.settings.document import SyncDocument
from shared.settings.hosts import is_loopback
from shared.settings.loading import environment, load, load_logging
from shared.settings.model import (
    AccessSettings,
    AppType,
    BudgetSettings,
    CommercetoolsSettings,
    ConnectSettings,
    GoogleSettings,
    KlaviyoSettings,
    LogFormat,
    LoggingSettings,
    LogLevel,
    MappingSettings,
    QueueBackend,
    ServeSettings,
    Settings,
    StateBackend,
    StateSettings,
    SubscriptionDestination,
    serves_bulk,
    serves_realtime,
)
from shared.settings.secret import Secret

__all__ = [
    "AccessSettings",
    "AppType",
    "BudgetSettings",
    "CommercetoolsSettings",
    "ConnectSettings",
    "GoogleSettings",
    "KlaviyoSettings",
    "LogFormat",
    "LogLevel",
    "LoggingSettings",
    "MappingSettings",
    "QueueBackend",
    "Secret",
    "ServeSettings",
    "Settings",
    "StateBackend",
    "StateSettings",
    "SubscriptionDestination",
    "SyncDocument",
    "environment",
    "is_loopback",
    "load",
    "load_logging",
    "serves_bulk",
    "serves_realtime",
]
