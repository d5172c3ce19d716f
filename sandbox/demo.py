"""`make demo`: both simulators, the real product, the sample customers imported with progress; no account, no cloud."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from sandbox.checker import check_customers
from sandbox.launch import HTTP, LaunchError, Sandbox, free_port, sandbox, serve

CUSTOMERS = 300
REFUSED = 1
"""The sample has one malformed e-mail, which Klaviyo refuses; any other failure is a fault."""
_COMPLETED, _COMPLETED_WITH_ERRORS = 0, 1


def main() -> int:
    """Run the demonstration; 0 when everything added up."""
    console = Console()
    console.print("Starting a sandbox: a simulated commercetools project and a simulated Klaviyo account.")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="ct-klaviyo-demo-") as folder,
            sandbox(commercetools=["--customers", str(CUSTOMERS)]) as servers,
        ):
            return _import(console, servers, Path(folder) / "state.sqlite3")
    except LaunchError as error:
        console.print(str(error), style="red", markup=False)
        return 1


def _import(console: Console, servers: Sandbox, state: Path) -> int:
    environment = servers.environment(state, free_port())
    product = serve(environment)
    try:
        console.print(f"Importing {CUSTOMERS} customers: ct-klaviyo import customers --watch", highlight=False)
        command = [sys.executable, "-m", "shared.cli", "import", "customers", "--watch"]
        finished = subprocess.run(command, env=environment, check=False)  # noqa: S603 - our own program
        if finished.returncode not in {_COMPLETED, _COMPLETED_WITH_ERRORS}:
            return finished.returncode
        status = HTTP.get(f"{product.url}/sync/customers/status").json()
    finally:
        product.stop()
    return _verdict(console, servers, status)


def _verdict(console: Console, servers: Sandbox, status: dict[str, int]) -> int:
    """Compare what the product says with what the simulators saw."""
    check = check_customers(servers.commercetools.url, servers.klaviyo.url)
    unaccounted = len(check.missing) - status["failed"] + check.merged - status["skipped"]
    problems = check.problems
    if status["seen"] != status["sent"] + status["skipped"] + status["failed"] or status["seen"] != check.customers:
        problems.append("the summary does not add up")
    if status["failed"] != REFUSED:
        problems.append(f"{status['failed']} customers failed, not {REFUSED}")
    if unaccounted:
        problems.append(f"{unaccounted} customers are neither in Klaviyo nor accounted for")
    if problems:
        console.print("The check against the simulators' own records failed: " + "; ".join(problems), style="red")
        return 1
    console.print(
        f"Checked against the simulators' own records: {check.profiles} profiles for {check.customers} customers, "
        f"{check.merged} merged with a newer one of the same e-mail, {len(check.missing)} refused and named above "
        "(the sample has a malformed e-mail on purpose).",
        style="green",
        highlight=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
