"""The import's worker: one batch for each message pushed to it."""

from __future__ import annotations

import flask

from functions.lean import without_terminal_libraries

with without_terminal_libraries():
    from functions.http import answered
    from functions.opening import opened
    from shared.bulk.http import MOST_BODY_BYTES
    from shared.bulk.http.tasks import worker_answer
    from shared.bulk.wiring import open_import_app

_app = opened(open_import_app)


def bulk_worker(request: flask.Request) -> flask.Response:
    """Work the batch that the pushed message names."""
    return answered(request, lambda call: worker_answer(_app, call), MOST_BODY_BYTES)
