"""Realtime: one commercetools notification for each delivery posted to it."""

from __future__ import annotations

import flask

from functions.lean import without_terminal_libraries

with without_terminal_libraries():
    from functions.http import answered_unread
    from functions.opening import opened
    from shared.access import VerifyIdToken, guarded_by_id_token
    from shared.realtime.envelope import MOST_BODY_BYTES
    from shared.realtime.http import answer
    from shared.realtime.wiring import open_realtime_app

_app = opened(open_realtime_app)


def _verifier() -> VerifyIdToken | None:
    """Loaded only where we check tokens ourselves; elsewhere nobody pays for it."""
    if not guarded_by_id_token(_app.settings):
        return None
    from shared.google_tokens import open_google_tokens

    return open_google_tokens().claims


_verify_id_token = _verifier()


def realtime_event(request: flask.Request) -> flask.Response:
    """Answer one delivery."""
    return answered_unread(request, lambda call, read_body: answer(_app, call, read_body, _verify_id_token), MOST_BODY_BYTES)
