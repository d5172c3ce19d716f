"""Errors as the commercetools API renders them: `{statusCode, message, errors: [{code, message, ...}]}`."""

from typing import Any

import msgspec
from starlette.responses import Response

_CODES_BY_STATUS = {
    400: ("InvalidInput", "The request was refused."),
    401: ("invalid_token", "invalid_token"),
    403: ("insufficient_scope", "Insufficient scope"),
    404: ("ResourceNotFound", "URI not found."),
    409: ("ConcurrentModification", "Object has a different version than expected."),
    413: ("ContentTooLarge", "Request entity too large."),
    429: ("OverCapacity", "Too many requests. Please try again later."),
    500: ("General", "Internal server error."),
    502: ("BadGateway", "The server received an invalid response from an upstream server."),
    503: ("OverCapacity", "The service is having trouble handling the load. Please try again later."),
    504: ("General", "The upstream server did not answer in time."),
}


class ApiError(Exception):
    """An answer other than 2xx. `extra` is merged into the first entry of `errors`, `headers` into the answer."""

    def __init__(self, status: int, code: str, message: str, extra: dict[str, Any] | None = None, *, oauth: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra or {}
        self.oauth = oauth

    def body(self) -> dict[str, Any]:
        """The answer's JSON body; errors of authorization also carry OAuth's own `error` field."""
        body: dict[str, Any] = {
            "statusCode": self.status,
            "message": self.message,
            "errors": [{"code": self.code, "message": self.message, **self.extra}],
        }
        if self.oauth:
            body["error"] = self.code
            if self.message != self.code:
                body["error_description"] = self.message
        return body

    def response(self) -> Response:
        """The answer itself."""
        headers = {"WWW-Authenticate": 'Bearer realm="commercetools"'} if self.status == 401 else None
        return Response(msgspec.json.encode(self.body()), self.status, headers, "application/json")


def invalid_input(message: str) -> ApiError:
    """400: a parameter or a field has a value that is not acceptable."""
    return ApiError(400, "InvalidInput", message)


def malformed(parameter: str, message: str) -> ApiError:
    """400: a query parameter cannot be understood."""
    return invalid_input(f"Malformed parameter: {parameter}: {message}")


def invalid_json(detail: str) -> ApiError:
    """400: the body is not JSON of the expected shape."""
    return ApiError(400, "InvalidJsonInput", "Request body does not contain valid JSON.", {"detailedErrorMessage": detail})


def not_found(message: str) -> ApiError:
    """404: no such resource."""
    return ApiError(404, "ResourceNotFound", message)


def concurrent_modification(identifier: str, expected: int, actual: int) -> ApiError:
    """409: the version that the request names is not the stored one."""
    message = f"Object {identifier} has a different version than expected. Expected: {expected} - Actual: {actual}."
    return ApiError(409, "ConcurrentModification", message, {"currentVersion": actual})


def injected_error(status: int) -> tuple[str, bytes]:
    """Render the body of an injected fault of this status: (content type, bytes)."""
    code, message = _CODES_BY_STATUS.get(status, ("General", "Injected fault."))
    error = ApiError(status, code, message, oauth=status in (401, 403))
    return "application/json", msgspec.json.encode(error.body())
