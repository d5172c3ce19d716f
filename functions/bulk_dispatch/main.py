"""The import API and its continuation, as one HTTP function."""

from __future__ import annotations

import flask

from functions.http import answered
from shared.bulk.http.api import ApiRequest, ApiResponse, answer
from shared.bulk.http.tasks import plan_task
from shared.bulk.wiring import open_function

_app = open_function()


def bulk_dispatch(request: flask.Request) -> flask.Response:
    """Answer one call of the import API, or plan the next slice of a run."""
    return answered(request, _answer)


def _answer(call: ApiRequest) -> ApiResponse:
    if call.path == "/tasks/plan" and call.method == "POST":
        return plan_task(_app, call)
    return answer(_app, call)
