"""Serve a simulated project on loopback: `python -m sandbox.commercetools --port 0 --customers 300 --seed 7`."""

import argparse
import sys
from collections.abc import Sequence

from sandbox.commercetools.app import create_app
from sandbox.commercetools.settings import ALL_SCOPES, SandboxSettings
from sandbox.faults import FaultPlan, LatencyProfile
from sandbox.serving import serve

_SIZED = ("customers", "categories", "products", "orders")


def settings_from(options: argparse.Namespace) -> SandboxSettings:
    """Return the settings that the command line names."""
    return SandboxSettings(
        project_key=options.project_key,
        client_id=options.client_id,
        client_secret=options.client_secret,
        scopes=tuple(options.scopes),
        token_lifetime_s=options.token_lifetime,
        seed=options.seed,
        sizes={name: getattr(options, name) for name in _SIZED},
        variants=options.variants or None,
        lines=options.lines or None,
        malformed_emails=options.malformed_emails,
        prepared=tuple(options.prepared),
    )


def parser() -> argparse.ArgumentParser:
    """Return the command line's definition."""
    default = SandboxSettings()
    result = argparse.ArgumentParser(prog="python -m sandbox.commercetools", description=__doc__)
    result.add_argument("--host", default="127.0.0.1", help="loopback only")
    result.add_argument("--port", type=int, default=0, help="0 picks a free one")
    result.add_argument("--customers", type=int, default=300)
    result.add_argument("--categories", type=int, default=0)
    result.add_argument("--products", type=int, default=0, help="with their inventory entries and prices")
    result.add_argument("--variants", type=int, default=0, help="of every product; 0: one to eight, and once a hundred")
    result.add_argument("--orders", type=int, default=0, help="with their payments")
    result.add_argument("--lines", type=int, default=0, help="line items of every order; 0: they vary")
    result.add_argument("--seed", type=int, default=default.seed)
    result.add_argument("--malformed-emails", type=int, help="customers whose e-mail Klaviyo refuses (300 rows: 1)")
    result.add_argument("--prepared", nargs="*", default=[], choices=("orders", "payments"), help="made and encoded at the start")
    result.add_argument("--project-key", default=default.project_key)
    result.add_argument("--client-id", default=default.client_id)
    result.add_argument("--client-secret", default=default.client_secret, help="the simulator's, not a real one")
    result.add_argument("--scopes", nargs="+", default=list(ALL_SCOPES), help="granted scopes without the project key")
    result.add_argument("--token-lifetime", type=int, default=default.token_lifetime_s, help="seconds")
    result.add_argument("--latency-p50-ms", type=float, default=0.0, help="median latency of every request")
    result.add_argument("--latency-p95-ms", type=float, default=0.0)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    command = parser()
    options = command.parse_args(arguments)
    if min(getattr(options, name) for name in (*_SIZED, "variants", "lines")) < 0:
        command.error("no number may be negative")
    if not 0 <= (options.malformed_emails or 0) <= options.customers:
        command.error("--malformed-emails must not be negative, nor larger than --customers")
    p50, p95 = options.latency_p50_ms, options.latency_p95_ms
    plan = FaultPlan()
    plan.set_latency(LatencyProfile(read_p50_ms=p50, read_p95_ms=p95, write_p50_ms=p50, write_p95_ms=p95))
    try:
        serve(create_app(settings_from(options), plan=plan), options.host, options.port, date_header=False)
    except ValueError as error:
        command.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
