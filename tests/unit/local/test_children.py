"""Functions run as real functions-framework processes, and are started again when they die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from local_fixtures import eventually, is_alive, tiny_function

from shared.local import children
from shared.local.children import Child, ChildGaveUp, ChildSpec, child_environment

ECHO = """
import os

def answer(request):
    if request.path == "/health":
        return ("ok", 200)
    return {"pid": os.getpid(), "master": os.getppid(), "threads": os.environ["THREADS"], "debug": os.environ.get("DEBUG")}
"""

Run = Callable[..., Child]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts a child over a function's text, and ticks it in the background until the test ends."""
    ended = threading.Event()
    started: list[Child] = []
    threads: list[threading.Thread] = []

    def begin(source: str = ECHO, *, ticking: bool = True, **spec: Any) -> Child:
        path = tiny_function(tmp_path / f"function{len(started)}", source)
        environment = {"PATH": os.environ["PATH"], **spec.pop("environment", {})}
        child = Child(ChildSpec("tiny", "answer", path, environment, threads=3, **spec), say=lambda _: None)
        started.append(child)
        if ticking:
            threads.append(threading.Thread(target=tick, args=(child,)))
            threads[-1].start()
        return child

    def tick(child: Child) -> None:
        while not ended.wait(0.02):
            child.tick()

    yield begin
    ended.set()
    for thread in threads:
        thread.join()
    for child in started:
        child.ask_to_end()
        child.end(5.0)


def ask(child: Child) -> dict[str, Any]:
    """What the child's function says about itself."""
    url = eventually(lambda: child.url)
    answer: dict[str, Any] = httpx.get(url, trust_env=False, timeout=30).json()
    return answer


def asked_with_patience(child: Child) -> dict[str, Any] | None:
    """The same, None while nobody answers."""
    try:
        return ask(child)
    except httpx.HTTPError:
        return None


def test_a_function_answers_under_the_framework(run: Run) -> None:
    """One gunicorn worker with the threads asked for serves the function."""
    child = run()
    answer = ask(child)
    assert answer["master"] == child.pid
    assert answer["threads"] == "3"


SICK = """
import pathlib

def answer(request):
    with pathlib.Path(__file__).with_name("asked").open("a") as file:
        file.write(request.path + chr(10))
    return ("not yet", 503)
"""


def test_a_child_counts_as_ready_when_its_health_path_answers(run: Run) -> None:
    """With a health path an open port is not enough: it must answer 200."""
    healthy, sick = run(health_path="/health"), run(SICK, health_path="/health")
    ask(healthy)
    asked = sick.spec.source.with_name("asked")
    eventually(lambda: asked.exists() and len(asked.read_text().splitlines()) > 2)
    assert sick.url is None


def test_the_users_shell_does_not_decide_how_a_child_is_served(run: Run) -> None:
    """DEBUG, PORT and WORKERS mean other things to the framework than to whoever exported them."""
    child = run(environment={"DEBUG": "true", "PORT": "1", "WORKERS": "4", "THREADS": "1", "CLOUD_RUN_TIMEOUT_SECONDS": "1"})
    answer = ask(child)
    assert (answer["threads"], answer["debug"]) == ("3", None)
    assert len(psutil.Process(child.pid).children()) == 1


def test_a_child_imports_the_product_from_anywhere() -> None:
    """The product's own folder is on the child's path, before what was there."""
    spec = ChildSpec("tiny", "answer", Path("x"), {"PYTHONPATH": "/elsewhere"}, threads=1)
    first, second = child_environment(spec)["PYTHONPATH"].split(os.pathsep)
    assert Path(first) == Path(children.__file__).parents[2]
    assert second == "/elsewhere"


def test_a_killed_child_is_started_again(run: Run) -> None:
    """After `kill -9` of the whole server another one answers."""
    child = run()
    before = ask(child)
    os.killpg(before["master"], signal.SIGKILL)
    after = eventually(lambda: child.pid != before["master"] and asked_with_patience(child))
    assert after["master"] != before["master"]
    assert child.starts == 2


def test_a_server_whose_master_alone_was_killed_leaves_nobody_behind(run: Run) -> None:
    """The worker of a dead master does not go on serving beside the new server."""
    child = run()
    before = ask(child)
    os.kill(before["master"], signal.SIGKILL)
    eventually(lambda: child.starts == 2)
    eventually(lambda: not is_alive(before["pid"]))


def test_gunicorn_itself_replaces_a_killed_worker(run: Run) -> None:
    """`kill -9` of the worker inside a child is survived without a new start."""
    child = run()
    before = ask(child)
    os.kill(before["pid"], signal.SIGKILL)
    after = eventually(lambda: asked_with_patience(child))
    assert after["pid"] != before["pid"]
    assert (after["master"], child.starts) == (before["master"], 1)


def test_a_child_that_cannot_start_is_given_up_with_its_last_words(run: Run) -> None:
    """After four deaths at the start in a row the error shows why, instead of trying for ever."""
    child = run("raise RuntimeError('the cat is on the keyboard')", ticking=False)
    with pytest.raises(ChildGaveUp, match=r"tiny died 4 times in a row .*(?s:.*)the cat is on the keyboard"):
        eventually(lambda: child.tick(), timeout_s=200)
    assert child.starts == children.EARLY_DEATHS


def test_the_pause_before_a_new_start_grows(run: Run) -> None:
    """Half a second, one, two: a child that dies at once does not keep the machine busy."""
    told: list[str] = []
    child = run("raise SystemExit(7)", ticking=False)
    child.say = told.append
    with pytest.raises(ChildGaveUp):
        eventually(lambda: child.tick(), timeout_s=200)
    assert told == [f"tiny ended (exit code 7); starting it again in {pause} s" for pause in ("0.5", "1", "2")]


def test_a_child_ends_when_asked(run: Run) -> None:
    """Nothing of it is left, and its address is gone."""
    child = run(ticking=False)
    eventually(lambda: child.tick() or child.url)
    pids = [child.pid, *(process.pid for process in psutil.Process(child.pid).children())]
    child.ask_to_end()
    child.end(60.0)
    assert child.url is None
    eventually(lambda: not any(is_alive(pid) for pid in pids if pid))


def test_a_child_that_does_not_end_is_made_to(run: Run) -> None:
    """A request that goes on for ever does not keep the server alive."""
    child = run("import time\ndef answer(request):\n    time.sleep(60)", ticking=False)
    eventually(lambda: child.tick() or child.url)
    asked = threading.Thread(target=asked_with_patience, args=(child,))
    asked.start()
    eventually(lambda: any(link.status == "ESTABLISHED" for process in _all(child) for link in process.net_connections()))
    pids = [process.pid for process in _all(child)]
    child.ask_to_end()
    child.end(0.3)
    asked.join(60)
    eventually(lambda: not any(is_alive(pid) for pid in pids))


def _all(child: Child) -> list[psutil.Process]:
    master = psutil.Process(child.pid)
    return [master, *master.children()]
