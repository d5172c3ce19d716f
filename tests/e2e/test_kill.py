"""kill -9 at any moment loses nothing and doubles nothing (flows.md "What may crash where, and what then")."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import psutil
import pytest

from sandbox.launch import Launched
from tests.e2e.conftest import CUSTOMERS, FINISHED, Product

VICTIMS = ("everything", "supervisor", "bulk_dispatch", "bulk_worker")
LONGEST_S = 2.0
MOST_TRIES = 6


def _under_way(product: Product, moment_s: float, folder: Path) -> Launched:
    """An import, begun `moment_s` seconds ago or, where it is over by then, a half, a quarter, ... of that."""
    for number in range(MOST_TRIES):
        if number:
            product.start_over(folder / f"state-{number}.sqlite3")
        serve = product.start()
        assert product.post("/sync/customers").status_code == 202
        time.sleep(moment_s / 2**number)
        if product.status()["status"] not in FINISHED:
            return serve
    pytest.fail(f"the import was over {MOST_TRIES} times before it could be killed")


def _kill(serve: Launched, victim: str) -> None:
    if victim == "everything":
        serve.kill_group()
    elif victim == "supervisor":
        serve.kill()
    else:
        for process in psutil.Process(serve.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if any(victim in part for part in process.cmdline()):
                    process.kill()


@pytest.mark.parametrize("seed", range(20))
def test_a_killed_import_goes_on_where_it_was(product: Product, tmp_path: Path, seed: int) -> None:
    """After SIGKILL at a random moment of the import, a restart and `resume`, Klaviyo has every customer, once."""
    rng = random.Random(seed)  # the moment and the victim differ from seed to seed, and are the same in every run
    victim, moment_s = VICTIMS[seed % len(VICTIMS)], rng.uniform(0.0, LONGEST_S)
    serve = _under_way(product, moment_s, tmp_path)

    _kill(serve, victim)
    if victim in {"everything", "supervisor"}:
        product.start()
    run = product.wait(lambda _: True, 30.0)
    resumed = product.post(f"/runs/{run['runId']}/resume")

    assert resumed.status_code in {202, 409}, resumed.text  # 409: it goes on by itself, or had ended before
    status = product.wait_finished()
    check = product.check()
    assert status["status"] == "completed", status
    assert (status["seen"], status["failed"]) == (CUSTOMERS, 0)
    assert status["seen"] == status["sent"] + status["skipped"] + status["failed"]
    assert check.problems == []
    assert not check.missing
    assert check.merged == status["skipped"]
    assert set(check.changes) == {1}, "a customer that was sent again must change nothing"
