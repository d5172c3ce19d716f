"""What a person must put right on Google Cloud. Apart from the clients, so that who catches it need not load them."""

from __future__ import annotations

from shared.errors import TransientError


class NotPermitted(TransientError):
    """Google Cloud refused the credentials or what they may do, or there are none; the message says what to grant."""


class NotThere(TransientError):
    """What was called (a topic, a subscription, a database) does not exist; the message says what to do."""
