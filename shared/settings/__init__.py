"""The settings: one frozen object, loaded once from the environment; nothing else in the product reads it (configuration.md)."""

from shared.settings.destination import destination_given
from shared.settings.document import SyncDocument
from shared.settings.hosts import is_loopback
from shared.settings.loading import environment, load, load_logging, load_removal
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
    RemovalSettings,
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
    "RemovalSettings",
    "Secret",
    "ServeSettings",
    "Settings",
    "StateBackend",
    "StateSettings",
    "SubscriptionDestination",
    "SyncDocument",
    "destination_given",
    "environment",
    "is_loopback",
    "load",
    "load_logging",
    "load_removal",
    "serves_bulk",
    "serves_realtime",
]
