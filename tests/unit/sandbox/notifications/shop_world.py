"""A shop in a simulated project of its own: a real server in this process, because a shop speaks HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import uvicorn

from sandbox.commercetools.app import create_app
from sandbox.commercetools.settings import SandboxSettings
from sandbox.notifications.project import ProjectControl
from sandbox.notifications.shop import Shop

NOBODY = {"customers": 0, "categories": 0, "products": 0, "orders": 0}


@contextmanager
def shop(**sizes: int) -> Iterator[Shop]:
    """A shop in a project that has as many resources of the sample as `sizes` say, otherwise nothing."""
    settings = SandboxSettings(sizes={**NOBODY, **sizes})
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        control = ProjectControl(f"http://127.0.0.1:{port}")
        yield Shop(control, Random(11))
        control.close()
    finally:
        server.should_exit = True
        thread.join()
