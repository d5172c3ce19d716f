"""The import API and its continuation, as one HTTP function."""

from __future__ import annotations

import flask

from functions.lean import without_terminal_libraries

with without_terminal_libraries():
    from functions.http import answered
    from functions.opening import opened
    from shared.bulk.http import MOST_BODY_BYTES
    from shared.bulk.http.api import answer
    from shared.bulk.http.tasks import plan_task
    from shared.bulk.wiring import open_import_app
    from shared.http import ApiRequest, ApiResponse

_app = opened(open_import_app)


def bulk_dispatch(request: flask.Request) -> flask.Response:
    """Answer one call of the import API, or plan the next slice of a run."""
    return answered(request, _answer, MOST_BODY_BYTES)


def _answer(call: ApiRequest) -> ApiResponse:
    if call.path == "/tasks/plan" and call.method == "POST":
        return plan_task(_app, call)
    return answer(_app, call)
