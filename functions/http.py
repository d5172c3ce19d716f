"""Between the web framework and the product's own request and answer."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace

import flask
from werkzeug.exceptions import ClientDisconnected

from shared.http import Answer, AnswerUnread, ApiRequest, ApiResponse, BodyLost, ReadBody

_PIECE_BYTES = 65_536


def answered(request: flask.Request, answer: Answer, most_body_bytes: int) -> flask.Response:
    """The answer to a request of the framework, in its own terms.

    Of a body larger than `most_body_bytes` one byte more is handed on.
    """

    def read_first(call: ApiRequest, read_body: ReadBody) -> ApiResponse:
        try:
            return answer(replace(call, body=read_body()))
        except BodyLost:
            return ApiResponse(400, b"")  # to nobody: the caller has hung up

    return answered_unread(request, read_first, most_body_bytes)


def answered_unread(request: flask.Request, answer: AnswerUnread, most_body_bytes: int) -> flask.Response:
    """The same for an answer that reads the body when it wants it, if at all.

    What it leaves of the body is let pass by: an answer before the body's end would break the connection, and whoever sent
    it would never learn the answer.
    """
    call = ApiRequest(
        method=request.method,
        path=request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.args.to_dict(),
    )
    response = answer(call, lambda: _read(request, most_body_bytes + 1))
    with suppress(BodyLost):
        while _piece(request, _PIECE_BYTES):
            pass
    return flask.Response(response.body, response.status, headers=dict(response.headers), content_type=response.content_type)


def _read(request: flask.Request, most_bytes: int) -> bytes:
    body = io.BytesIO()  # which gives its content without copying it
    while piece := _piece(request, min(_PIECE_BYTES, most_bytes - body.tell())):
        body.write(piece)
    if body.tell() < min(most_bytes, request.content_length or 0):
        raise BodyLost
    return body.getvalue()


def _piece(request: flask.Request, most_bytes: int) -> bytes:
    try:
        return request.stream.read(most_bytes)
    except (ClientDisconnected, OSError):
        raise BodyLost from None
