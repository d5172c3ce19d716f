"""Following a run until it ends, with live progress on a terminal and plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shared.cli import render
from shared.cli.api_client import Answer, ImportApi, NotReachable, Refused

POLL_S = 0.5
PLAIN_LINE_S = 5.0
PATIENCE_S = 30.0
"""How long a silent import API, or a run that nobody works on, is watched before it is given up."""

_STILL = render.FINISHED | {render.PENDING}

Show = Callable[[Answer], None]


class LeftEarly(Exception):
    """A second Ctrl-C: leave at once."""


@dataclass(slots=True)
class Watch:
    """Watches one run; `sleep` and `monotonic` are the clock, in seconds.

    The first Ctrl-C asks the run to stop and keeps watching until it has; a second one leaves.
    """

    api: ImportApi
    console: Console
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until_ended(self, run_id: str) -> Answer:
        """The run's last status: finished, or `interrupted` for longer than half a minute.

        Raises `LeftEarly`, `NotReachable` when the API stays silent for as long, and `Refused`.
        """
        stop_asked = False
        with self._display() as show:
            while True:
                try:
                    if stop_asked:
                        self._ask_to_stop(run_id)
                    return self._follow(run_id, show)
                except KeyboardInterrupt:
                    if stop_asked:
                        raise LeftEarly from None
                    stop_asked = True
                    self.say("stopping; press Ctrl-C again to leave at once")

    def say(self, text: str) -> None:
        """One line for the person who watches."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _ask_to_stop(self, run_id: str) -> None:
        run = self.api.run(run_id)
        if run.get("status") in render.FINISHED:
            return
        try:
            self.api.stop(str(run.get("kind")))
        except Refused as refused:
            if refused.status != 400:
                raise
            run = self.api.run(run_id)
            if run.get("status") in render.FINISHED:
                return  # it ended by itself in the meantime
            self.say(f"run {run_id} is {render.words(run)} and could not be stopped: {refused}")
            self.say(f"press Ctrl-C again to leave it to itself; stop it with: ct-klaviyo stop {run.get('kind')}")

    def _follow(self, run_id: str, show: Show) -> Answer:
        last_good = self.monotonic()
        while True:
            try:
                status = self.api.run(run_id)
            except NotReachable:
                if self.monotonic() - last_good > PATIENCE_S:
                    raise
            else:
                show(status)
                if status.get("status") in render.FINISHED:
                    return status
                if status.get("status") != "interrupted":
                    last_good = self.monotonic()
                elif self.monotonic() - last_good > PATIENCE_S:
                    return status
            self.sleep(POLL_S)

    @contextmanager
    def _display(self) -> Iterator[Show]:
        if self.console.is_terminal:
            with Live(console=self.console, auto_refresh=False, transient=True) as live:
                yield lambda status: live.update(bar(status, self.monotonic()), refresh=True)
        else:
            yield self._plain()

    def _plain(self) -> Show:
        """A line for each change of state, and every few seconds while there is none; of a chain, for each link."""
        shown: dict[object, tuple[float, object]] = {}

        def show(status: Answer) -> None:
            for part in render.parts(status):
                now, state, kind = self.monotonic(), part.get("status"), part.get("kind")
                shown_at, shown_state = shown.get(kind, (float("-inf"), render.PENDING))
                if state != shown_state or (state not in _STILL and now - shown_at >= PLAIN_LINE_S):
                    shown[kind] = now, state
                    self.say(render.line(part))

        return show


def bar(status: Answer, now: float) -> Group:
    """The run as a bar with its numbers beneath, a chain as one for each link; a bar pulses while there is no progress."""
    grid = Table.grid(padding=(0, 1), expand=False)
    for part in render.parts(status):
        grid.add_row(*_row(part, now))
    return Group(grid, Text(f"  {render.pace(status)}", style="dim"))


def _row(part: render.Status, now: float) -> tuple[Text | ProgressBar, ...]:
    progress, pending = part.get("progress"), part.get("status") == render.PENDING
    return (
        Text(str(part.get("kind", "?")), style="bold"),
        ProgressBar(total=1.0 if progress or pending else None, completed=progress or 0.0, width=32, animation_time=now),
        Text("" if pending else render.percent(part).rjust(6)),
        Text("" if pending else render.seen_of(part)),
        Text(render.words(part), style="dim" if pending else "cyan"),
    )
