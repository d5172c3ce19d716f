"""`make demo`: both simulators and the real product: everything imported with progress, then a few live notifications.

No account, no cloud. Ends with 0 only when all adds up by the simulators' own records.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox.checker_imports import ImportCheck, check_import
from sandbox.checker_ledger import Account, check_limits, read_ledger
from sandbox.demo_realtime import Happening, happen
from sandbox.launch import HTTP, Launched, LaunchError, Sandbox, sandbox, serve
from shared.local.listening import free_port

SIZES = {"customers": 300, "orders": 500, "products": 200, "categories": 50}
KINDS = ("categories", "products", "customers", "orders")
_ENDED = {"completed", "completed_with_errors"}


def main() -> int:
    """Run the demonstration; 0 when everything added up."""
    console = Console(highlight=False)
    console.print("Starting a sandbox: a simulated commercetools project and a simulated Klaviyo account.")
    arguments = [word for name, number in SIZES.items() for word in (f"--{name}", str(number))]
    try:
        with tempfile.TemporaryDirectory(prefix="ct-klaviyo-demo-") as folder, sandbox(commercetools=arguments) as servers:
            environment = servers.environment(Path(folder) / "state.sqlite3", free_port(), LOG_LEVEL="ERROR")
            product = serve(environment)
            try:
                problems = _show(console, servers, product, environment)
            finally:
                product.stop()
    except LaunchError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    for problem in problems:
        console.print(f"DOES NOT ADD UP: {problem}", style="red", markup=False)
    if not problems:
        console.print("Checked against the simulators' own records: everything is there, once, and right.", style="green")
    return 1 if problems else 0


def _show(console: Console, servers: Sandbox, product: Launched, environment: Mapping[str, str]) -> list[str]:
    """Import everything, then let something happen; what does not add up."""
    numbers = ", ".join(f"{number} {name}" for name, number in SIZES.items())
    console.print(f"Importing {numbers}: ct-klaviyo import all --watch")
    command = [sys.executable, "-m", "shared.cli", "import", "all", "--watch"]
    # Some items fail on purpose, which is told by the status.
    subprocess.run(command, env=dict(environment), check=False)  # noqa: S603 - our own program
    statuses = HTTP.get(f"{product.url}/sync/status").json()["kinds"]
    if ended := [kind for kind in KINDS if (statuses[kind] or {}).get("status") not in _ENDED]:
        return [f"the import of {kind} did not end as it should" for kind in ended]
    checks = {kind: check_import(kind, servers.commercetools.url, servers.klaviyo.url) for kind in KINDS}
    console.print(_imported(statuses, checks))
    console.print(
        "Refused: the sample has a malformed e-mail on purpose, and orders under it. "
        "Skipped: nothing can be sent of an order of nobody, and what is not published is not shown."
    )
    account = read_ledger(servers.klaviyo.url)
    found = [f"{kind}: {problem}" for kind in KINDS for problem in _problems(checks[kind], statuses[kind], account)]
    console.print("Something happens in the shop, and realtime is told:")
    happenings = happen(servers.commercetools.url, f"http://127.0.0.1:{environment['PUB_SUB_PORT']}")
    console.print(_happened(happenings))
    return [*found, *_after(servers, happenings)]


def _problems(check: ImportCheck, status: Mapping[str, Any], account: Account) -> list[str]:
    return [*check.differs_from(status), *check.problems, *check.redone(account)]


def _after(servers: Sandbox, happenings: list[Happening]) -> list[str]:
    """What is not as it should be once realtime was told."""
    found = [f"{one.what}: answered {one.statuses}" for one in happenings if not one.acknowledged]
    live = {one.order_id for one in happenings if one.order_id}
    for kind in KINDS:
        check = check_import(kind, servers.commercetools.url, servers.klaviyo.url, live=live)
        found += [f"{kind}, after realtime: {problem}" for problem in check.problems]
    return [*found, *check_limits(read_ledger(servers.klaviyo.url)).problems]


def _imported(statuses: Mapping[str, Mapping[str, Any]], checks: Mapping[str, ImportCheck]) -> Table:
    table = Table("kind", "seen", "= sent", "+ skipped", "+ failed", "in Klaviyo", title="Imported", title_justify="left")
    for kind in KINDS:
        status = statuses[kind]
        held = ", ".join(f"{count} {name}" for name, count in checks[kind].stored.items())
        skipped = _with_reasons(status["skipped"], status["skippedReasons"])
        failed = _with_reasons(status["failed"], status["failedReasons"])
        table.add_row(kind, str(status["seen"]), str(status["sent"]), skipped, failed, held)
    return table


def _happened(happenings: list[Happening]) -> Table:
    table = Table("what happens", "notifications", "answers")
    for one in happenings:
        table.add_row(one.what, str(len(one.statuses)), ", ".join(map(str, one.statuses)))
    return table


def _with_reasons(count: int, reasons: Mapping[str, int]) -> str:
    return "\n".join([str(count), *(f"{number} {reason}" for reason, number in reasons.items())])


if __name__ == "__main__":
    sys.exit(main())
