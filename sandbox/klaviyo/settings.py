"""What a test or a user may choose about the simulated Klaviyo. Switches select between readings of its behaviour."""

from typing import Literal

import msgspec


class KlaviyoSandboxSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one simulator; `docs/klaviyo-behaviour.md` explains the switches.

    `key`: the only private key accepted. `scopes`: what it may do, None for everything.
    `quota_times`: an account with so many times the documented limits.
    `revisions`: accepted values of the revision header. Job durations are seconds on the simulator's clock.
    `keep_bodies`: keep what each request said, for `/_sandbox/bodies`; without end, so for a test of a few requests.
    """

    key: str = "pk_sandbox"
    scopes: tuple[str, ...] | None = None
    revisions: tuple[str, ...] = ("2026-07-15", "2026-10-15")
    rate_limits: bool = True
    quota_times: int = 1

    job_base_s: float = 2.0
    job_s_per_row: float = 0.00005
    job_queued_share: float = 0.25
    job_order: Literal["forward", "reverse"] = "forward"

    phone_match: Literal["conflict", "overwrite"] = "conflict"
    email_match: Literal["update", "conflict"] = "update"
    stored_unique_ids: Literal["ignore", "refuse"] = "ignore"
    item_delete: Literal["variants_too", "item_only"] = "variants_too"
    missing_link_status: Literal[400, 404] = 404
    catalog_jobs_cap: Literal["account", "endpoint"] = "account"
    catalog_jobs_full_status: int = 429
    unsupported_phone_prefixes: tuple[str, ...] = ()
    echo_values: bool = False
    keep_event_properties: bool = True
    keep_bodies: bool = False
