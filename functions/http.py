"""Between the web framework and the product's own request and answer."""

from __future__ import annotations

import flask

from shared.http import Answer, ApiRequest, ApiResponse

_PIECE_BYTES = 65_536


def answered(request: flask.Request, answer: Answer, most_body_bytes: int) -> flask.Response:
    """The answer to a request of the framework, in its own terms.

    Of a body larger than `most_body_bytes` one byte more is handed on, and the rest is let pass by: an answer before the
    body's end would break the connection, and whoever sent it would never learn the answer.
    """
    body = _read(request, most_body_bytes + 1)
    while request.stream.read(_PIECE_BYTES):
        pass
    call = ApiRequest(
        method=request.method,
        path=request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.args.to_dict(),
        body=body,
    )
    response: ApiResponse = answer(call)
    return flask.Response(response.body, response.status, headers=dict(response.headers), content_type=response.content_type)


def _read(request: flask.Request, most_bytes: int) -> bytes:
    pieces = bytearray()
    while piece := request.stream.read(min(_PIECE_BYTES, most_bytes - len(pieces))):
        pieces += piece
    return bytes(pieces)
