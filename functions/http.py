"""Between the web framework and the product's own request and answer."""

from __future__ import annotations

import flask

from shared.bulk.http.api import ApiRequest, ApiResponse


def api_request(request: flask.Request) -> ApiRequest:
    """The request without the framework."""
    return ApiRequest(
        method=request.method,
        path=request.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=request.args.to_dict(),
        body=request.get_data(cache=False),
    )


def flask_response(response: ApiResponse) -> flask.Response:
    """The answer for the framework."""
    return flask.Response(response.body, response.status, headers=dict(response.headers), content_type=response.content_type)
