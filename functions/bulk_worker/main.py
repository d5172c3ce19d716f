"""The import's worker: one batch for each message pushed to it."""

from __future__ import annotations

import flask

from functions.http import api_request, flask_response
from shared.bulk.http.tasks import worker_answer
from shared.bulk.wiring import open_import_app

_app = open_import_app()


def bulk_worker(request: flask.Request) -> flask.Response:
    """Work the batch that the pushed message names."""
    return flask_response(worker_answer(_app, api_request(request)))
