"""A simulated Klaviyo: strict, fast, with the vendor's limits, asynchronous jobs and an independent ledger.

It follows the vendor's contract (`sandbox/contracts`) and `docs/klaviyo-behaviour.md`, and knows no client.
"""

from sandbox.klaviyo.app import create_app
from sandbox.klaviyo.settings import KlaviyoSandboxSettings

__all__ = ["KlaviyoSandboxSettings", "create_app"]
