"""What Cloud Run says itself, before or instead of the import API, and what a person can do about it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

GOOGLE_DOMAINS = (".run.app", ".cloudfunctions.net")
NOT_ADMITTED = "not_admitted"
NOT_FOUND = "service_not_found"
UNAVAILABLE = "platform_unavailable"

_OF_A_NUMBERED_PROJECT = re.compile(r"https://([a-z0-9-]+)-\d+\.([a-z0-9-]+)\.run\.app")


@dataclass(frozen=True, slots=True)
class PlatformAnswer:
    """An answer of Google's own: a `code` for scripts, the `message`, lines of `advice`; `passing`: it may go by itself."""

    code: str
    message: str
    advice: tuple[str, ...]
    passing: bool = False


def is_on_google(host: str) -> bool:
    """Whether Google names this host: its services want an ID token, unless they are public."""
    return host.casefold().endswith(GOOGLE_DOMAINS)


def platform_answer(url: str, status: int, *, signed: bool) -> PlatformAnswer | None:
    """What an answer of Google's front means for a call of `url`, `signed` when it had an ID token; None: nothing known."""
    if status in (401, 403) and not signed:
        return PlatformAnswer(
            NOT_ADMITTED,
            f"Google lets nobody in at {url} without an ID token ({status})",
            ("to have one sent, set BULK_IMPORT_AUDIENCE to the service's own address, which ends in run.app",),
        )
    if status == 401:
        return PlatformAnswer(
            NOT_ADMITTED,
            f"Google does not accept the ID token at {url}, nor a new one (401)",
            (
                "log in again with: gcloud auth login",
                "of a service account, the token must be made for the service: where --url names another domain,",
                "set BULK_IMPORT_AUDIENCE to the service's own address, which ends in run.app",
            ),
        )
    if status == 403:
        return PlatformAnswer(
            NOT_ADMITTED,
            f"Google knows who you are, but you may not call the service at {url} (403)",
            (
                "whoever administers the project lets you in with:",
                f"  gcloud run services add-iam-policy-binding {_service_flags(url)} --member user:YOU --role roles/run.invoker",
                "who you are to Google shows: gcloud auth list",
            ),
        )
    if status == 404:
        return PlatformAnswer(
            NOT_FOUND,
            f"Google knows no service at {url}, or lets nobody reach it from here (404)",
            ("the addresses of a project's services shows: gcloud run services list",),
        )
    if status == 429:
        return PlatformAnswer(
            UNAVAILABLE,
            f"Cloud Run had no instance free for {url} (429)",
            ("try again in a moment; what was asked for has not begun",),
            passing=True,
        )
    if status in (500, 502, 503, 504):
        return PlatformAnswer(
            UNAVAILABLE,
            f"the service at {url} does not start, or did not answer in its time ({status})",
            (f"its log says more: gcloud run services logs read {_service_flags(url)} --limit 50",),
            passing=True,
        )
    return None


def _service_flags(url: str) -> str:
    """Service and region as gcloud wants them, as far as the address tells them."""
    found = _OF_A_NUMBERED_PROJECT.match(url)
    service, region = (found[1], found[2]) if found else ("SERVICE", "REGION")
    return f"{service} --region {region}"
