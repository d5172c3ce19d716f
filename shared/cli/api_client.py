"""The import API as its callers see it (http-api.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from shared.access import API_KEY_HEADER
from shared.cli.platform_answers import is_on_google, platform_answer
from shared.errors import SyncError
from shared.settings import Secret, is_loopback

TIMEOUT_S = 30.0
CHANGE_TIMEOUT_S = 75.0
"""For calls that change something: longer than the API takes itself at most (60 s), or a run may begin of which we said no."""

GOOGLE_FRONT = "Google Frontend"
"""How what stands before a service of Google Cloud calls itself in its answers."""

Answer = dict[str, Any]


class CallFailed(SyncError):
    """The import API was not asked, or did not answer: a `code` for scripts, and lines of `advice` for a person."""

    code = "not_reachable"

    def __init__(self, message: str, *advice: str, code: str | None = None) -> None:
        self.code, self.advice = code or self.code, advice
        super().__init__(message)


class NotReachable(CallFailed):
    """Nobody answers at the import API's address now; that may be over in a moment."""


class NotAdmitted(CallFailed):
    """Google, before the import API, does not let the call through."""


class Refused(SyncError):
    """The import API answered with an error; `body` is its answer, whose shape http-api.md gives."""

    def __init__(self, status: int, body: Answer) -> None:
        self.status, self.body = status, body
        super().__init__(str(body.get("message") or f"the import API answered {status}"))


@dataclass(frozen=True, slots=True)
class ImportApi:
    """Calls of the import API at `url`. All raise `NotReachable`, `NotAdmitted` or `Refused`."""

    url: str
    client: httpx.Client

    def start(self, kind: str, options: Mapping[str, Any]) -> Answer:
        """Start an import."""
        return self._call("POST", f"/sync/{kind}", options)

    def stop(self, kind: str) -> Answer:
        """Ask the running import of that kind to stop."""
        return self._call("POST", f"/sync/{kind}/stop")

    def statuses(self) -> Answer:
        """The newest run of every kind."""
        return self._call("GET", "/sync/status")

    def status(self, kind: str) -> Answer:
        """The newest run of a kind."""
        return self._call("GET", f"/sync/{kind}/status")

    def runs(self, kind: str | None, limit: int) -> Answer:
        """The newest runs."""
        query = {"limit": str(limit)} | ({"kind": kind} if kind else {})
        return self._call("GET", f"/runs?{httpx.QueryParams(query)}")

    def run(self, run_id: str) -> Answer:
        """One run."""
        return self._call("GET", f"/runs/{quote(run_id, safe='')}")

    def resume(self, run_id: str) -> Answer:
        """Continue a stopped, halted or interrupted run."""
        return self._call("POST", f"/runs/{quote(run_id, safe='')}/resume")

    def retry(self, run_id: str) -> Answer:
        """Start a new run over the failed items of that one."""
        return self._call("POST", f"/runs/{quote(run_id, safe='')}/retry")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        timeout = httpx.Timeout(TIMEOUT_S, read=CHANGE_TIMEOUT_S) if method == "POST" else httpx.Timeout(TIMEOUT_S)
        sent = None if body is None else dict(body)
        try:
            answer = self.client.request(method, self.url + path, json=sent, timeout=timeout)
        except httpx.HTTPError as error:
            fault = f"the import API at {self.url} does not answer ({type(error).__name__})"
            local = is_loopback(urlsplit(self.url).hostname or "")
            raise NotReachable(fault, "start it with: ct-klaviyo serve" if local else "check the address") from None
        content = _json_object(answer)
        if answer.is_success and content is not None:
            return content
        if content is None or "error" not in content:
            self._raise_for_platform(answer)
            message = f"what answers at {self.url} is not the import API (status {answer.status_code})"
            raise Refused(answer.status_code, {"error": "unexpected_answer", "message": message})
        raise Refused(answer.status_code, content)

    def _raise_for_platform(self, answer: httpx.Response) -> None:
        """An answer that is not the import API's may be Google's, which stands before it."""
        signed = self.client.auth is not None
        if not signed and not is_on_google(urlsplit(self.url).hostname or "") and answer.headers.get("server") != GOOGLE_FRONT:
            return
        found = platform_answer(self.url, answer.status_code, signed=signed)
        if found:
            failure = NotReachable if found.passing else NotAdmitted
            raise failure(found.message, *found.advice, code=found.code)


def connect(url: str, key: Secret | None, auth: httpx.Auth | None = None) -> ImportApi:
    """The import API at `url`; `key` travels as `X-Api-Key`, what `auth` gives in `Authorization`.

    On this machine no proxy is asked.
    """
    headers = {API_KEY_HEADER: key.reveal()} if key else {}
    trusts_proxies = not is_loopback(urlsplit(url).hostname or "")
    return ImportApi(url.rstrip("/"), httpx.Client(headers=headers, auth=auth, trust_env=trusts_proxies))


def _json_object(answer: httpx.Response) -> Answer | None:
    try:
        content = answer.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
