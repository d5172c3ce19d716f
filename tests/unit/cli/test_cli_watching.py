"""A watched run shows its progress, ends with its summary and exit code, and is stopped by Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_run import Run
from fake_import_api import RUN_ID, FakeImportApi, chain, status
from rich.console import Console

from shared.cli.api_client import NotReachable, connect
from shared.cli.progress import PATIENCE_S, POLL_S, Watch

HALF = status("running", seen=500, sent=490, skipped=7, failed=3, progress=0.5, ratePerSecond=99.6, etaSeconds=65)
DONE = status("completed", seen=1000, sent=1000, progress=1.0)
ROOT = Path(__file__).parents[3]


class Clock:
    """Time that passes only while somebody sleeps; `on_sleep` may change the world."""

    def __init__(self, on_sleep: Callable[[float], None] = lambda _now: None) -> None:
        self.now, self.on_sleep = 0.0, on_sleep

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep(self.now)


def watched(api: FakeImportApi, clock: Clock, *, terminal: bool = False) -> tuple[dict[str, Any], str]:
    """The last status, and what was shown."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=100, color_system=None)
    connected = connect(api.url, None)
    with connected.client:
        last = Watch(connected, console, clock.monotonic, clock.sleep).until_ended(RUN_ID)
    return last, shown.getvalue()


@pytest.mark.parametrize(
    ("state", "code"), [("completed", 0), ("completed_with_errors", 1), ("stopped", 3), ("halted", 3), ("abandoned", 3)]
)
def test_the_exit_code_tells_how_it_ended(run: Run, api: FakeImportApi, state: str, code: int) -> None:
    """0 completed, 1 completed with errors, 3 stopped, halted or replaced."""
    api.course = [HALF, status(state)]
    assert run("watch", RUN_ID).exit_code == code


def test_import_with_watch_ends_with_the_summary(run: Run, api: FakeImportApi) -> None:
    """From the start to the sum in one command."""
    api.course = [HALF, DONE]
    result = run("import", "customers", "--watch")
    assert result.exit_code == 0
    assert "customers  running  50.0 %  500 of 1,000  100/s  ETA 1:05  sent 490  skipped 7  failed 3" in result.stdout
    assert "seen 1,000 = sent 1,000 + skipped 0 + failed 0" in result.stdout


def test_with_json_only_the_last_status_is_on_standard_output(run: Run, api: FakeImportApi) -> None:
    """Progress goes to standard error, so that a script can read the rest."""
    api.course = [HALF, DONE]
    result = run("watch", "customers", "--json")
    assert json.loads(result.stdout) == DONE
    assert "50.0 %" in result.stderr


def test_without_a_terminal_a_line_is_printed_every_few_seconds(api: FakeImportApi) -> None:
    """Twenty polls at half a second make a line for every five seconds and for every change of state."""
    api.course = [HALF] * 20 + [DONE]
    _, shown = watched(api, Clock())
    assert [line.split()[1] for line in shown.splitlines()] == ["running", "running", "completed"]


def test_a_terminal_shows_a_bar_with_its_numbers(api: FakeImportApi) -> None:
    """Bar, percent, seen of total, state, rate, time left and what became of the items."""
    api.course = [HALF, DONE]
    _, shown = watched(api, Clock(), terminal=True)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"customers ━+.* 50\.0 % 500 of 1,000 running", text)
    assert "100/s  ETA 1:05  sent 490  skipped 7  failed 3" in text


def test_a_chain_has_a_bar_for_each_kind(api: FakeImportApi) -> None:
    """Those that have not begun are shown as pending; the numbers beneath are those of all."""
    categories = status("completed", kind="categories", progress=1.0, seen=7, total=7)
    api.course = [chain("running", categories, {**HALF, "kind": "products"}, sent=497, ratePerSecond=20.0), DONE]
    _, shown = watched(api, Clock(), terminal=True)
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines()
    assert any(re.search(r"categories ━+ +100 % 7 of 7 +completed", line) for line in lines)
    assert any(re.search(r"products +━+.* 50\.0 % 500 of 1,000 running", line) for line in lines)
    assert all(any(re.search(rf"^{kind} .*pending", line) for line in lines) for kind in ("customers", "orders"))
    assert any("20/s  sent 497" in line for line in lines)


def test_without_a_terminal_a_chain_is_a_line_for_each_change_of_a_kind(api: FakeImportApi) -> None:
    """What is over is said once, what is pending not at all."""
    categories, products = status("completed", kind="categories"), {**HALF, "kind": "products"}
    api.course = [
        chain("running", {**HALF, "kind": "categories"}),
        *[chain("running", categories, products)] * 12,
        chain("completed", categories, {**products, "status": "completed"}),
    ]
    _, shown = watched(api, Clock())
    said = [tuple(line.split()[:2]) for line in shown.splitlines()]
    products_run = [("products", "running")] * 2
    assert said == [("categories", "running"), ("categories", "completed"), *products_run, ("products", "completed")]


def test_an_unknown_total_is_shown_as_such(api: FakeImportApi) -> None:
    """What was seen is told, no share of the unknown."""
    for terminal in (False, True):
        api.course = [status("running", total=None, seen=70, progress=None), DONE]
        _, shown = watched(api, Clock(), terminal=terminal)
        assert "70 seen" in shown


def test_the_bar_never_says_100_percent_too_early(api: FakeImportApi) -> None:
    """99.9 % until the run has completed."""
    api.course = [status("running", progress=0.9999), DONE]
    _, shown = watched(api, Clock())
    assert [line.split()[2] for line in shown.splitlines()] == ["99.9", "100"]


def test_a_silent_api_is_waited_for_while_it_restarts(api: FakeImportApi) -> None:
    """Half a minute of silence is survived, more is not; the error says how to start it."""
    with pytest.raises(NotReachable):
        watched(FakeImportApi(url="http://127.0.0.1:9"), clock := Clock())
    assert clock.now == pytest.approx(PATIENCE_S, abs=2 * POLL_S)


def test_a_run_that_nobody_works_on_is_given_up(api: FakeImportApi) -> None:
    """`interrupted` may pass, when its worker comes back; after half a minute it is the answer."""
    api.course = [status("interrupted")] * 3 + [HALF, status("interrupted")]
    last, _ = watched(api, clock := Clock())
    assert last["status"] == "interrupted"
    assert clock.now >= PATIENCE_S


def _hear_ctrl_c() -> None:
    """A suite that runs in the background has been told to ignore it, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_watching(api: FakeImportApi, folder: Path) -> subprocess.Popen[str]:
    """`ct-klaviyo import customers --watch` as a process of its own, once it shows progress."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "shared.cli", "import", "customers", "--watch"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "BULK_IMPORT_PORT": api.port},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_hear_ctrl_c,
    )
    assert process.stdout is not None
    assert "running" in process.stdout.readline()
    return process


def test_ctrl_c_stops_the_run_and_says_how_to_resume_it(api: FakeImportApi, tmp_path: Path) -> None:
    """The run is asked to stop, waited for, and the command to go on is shown; exit code 3."""
    api.course = [HALF]
    with start_watching(api, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=90)
    assert process.returncode == 3
    assert len(api.called("POST", "/sync/customers/stop")) == 1
    assert "stopping; press Ctrl-C again" in out
    assert "customers  stopped" in out
    assert f"resume with: ct-klaviyo resume {RUN_ID}" in out


def test_a_second_ctrl_c_leaves_at_once(api: FakeImportApi, tmp_path: Path) -> None:
    """A run that takes long to stop is left to it."""
    api.course, api.stops_within = [HALF], 1_000_000
    with start_watching(api, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        until = time.monotonic() + 60
        while not api.called("POST", "/sync/customers/stop"):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=90)
    assert process.returncode == 3
    assert f"resume with: ct-klaviyo resume {RUN_ID}" in err


def test_ctrl_c_on_a_run_that_cannot_be_stopped_says_so(api: FakeImportApi, tmp_path: Path) -> None:
    """Nothing of that kind runs, the API says, and yet this run does: it is watched on, and a person told what to do."""
    api.course = [HALF]
    api.answers["POST", "/sync/customers/stop"] = (400, {"error": "not_running", "message": "no import is running"})
    with start_watching(api, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        said: list[str] = []
        while not said or (said[-1] and not said[-1].startswith("press Ctrl-C again to leave it to itself")):
            said.append(process.stdout.readline())
        api.course = [DONE]
        out, _ = process.communicate(timeout=90)
    assert said[-2:] == [
        f"run {RUN_ID} is running and could not be stopped: no import is running\n",
        "press Ctrl-C again to leave it to itself; stop it with: ct-klaviyo stop customers\n",
    ]
    assert (process.returncode, "customers: completed" in out) == (0, True)


def test_ctrl_c_on_a_run_that_just_ended_shows_its_end(api: FakeImportApi, tmp_path: Path) -> None:
    """A stop that comes too late (400) changes nothing."""
    api.course = [HALF]
    api.answers["POST", "/sync/customers/stop"] = (400, {"error": "nothing_runs", "message": "no import is running"})
    with start_watching(api, tmp_path) as process:
        api.course = [HALF, DONE]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=90)
    assert process.returncode == 0
    assert "customers: completed" in out
