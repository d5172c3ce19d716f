"""The import API and its continuation, as one HTTP function."""

from __future__ import annotations

import flask

from functions.http import api_request, flask_response
from shared.bulk.http.api import answer
from shared.bulk.http.tasks import plan_task
from shared.bulk.wiring import open_import_app

_app = open_import_app()


def bulk_dispatch(request: flask.Request) -> flask.Response:
    """Answer one call of the import API, or plan the next slice of a run."""
    call = api_request(request)
    if call.path == "/tasks/plan" and call.method == "POST":
        return flask_response(plan_task(_app, call))
    return flask_response(answer(_app, call))
