"""What a person must put right on Google Cloud. Apart from the clients, so that who catches it need not load them."""

from __future__ import annotations

from shared.errors import TransientError


class NotPermitted(TransientError):
    """Google Cloud refused the credentials or what they may do, or there are none; the message says what to grant."""


class NotThere(TransientError):
    """What was called (a topic, a subscription, a database) does not exist; the message says what to do."""


LACKS_CLIENTS = "this installation lacks Google's clients; install the package with its extra: pip install '.[google]'"


def lacks_clients(error: ModuleNotFoundError) -> bool:
    """Whether what could not be imported is one of Google's clients."""
    return (error.name or "").partition(".")[0] in {"google", "grpc"}
