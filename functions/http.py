"""Between the web framework and the product's own request and answer."""

from __future__ import annotations

from collections.abc import Callable

import flask
from werkzeug.exceptions import RequestEntityTooLarge

from shared.bulk.http.api import MOST_BODY_BYTES, ApiRequest, ApiResponse, too_large

_PIECE_BYTES = 65_536


def answered(request: flask.Request, answer: Callable[[ApiRequest], ApiResponse]) -> flask.Response:
    """The answer to a request of the framework, in its own terms; a body that is too large is not read."""
    request.max_content_length = MOST_BODY_BYTES + 1  # of a body without a length, so much is read before it is known
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        body = None
    if body is None or len(body) > MOST_BODY_BYTES:
        _drain(request)
        return _response(too_large())
    call = ApiRequest(
        method=request.method,
        path=request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.args.to_dict(),
        body=body,
    )
    return _response(answer(call))


def _drain(request: flask.Request) -> None:
    """Let the rest of the body pass by: the framework reads it before it answers, and would stumble over the limit again."""
    request.max_content_length = None
    request.__dict__.pop("stream", None)  # the one that has the limit
    while request.stream.read(_PIECE_BYTES):
        pass


def _response(response: ApiResponse) -> flask.Response:
    return flask.Response(response.body, response.status, headers=dict(response.headers), content_type=response.content_type)
