"""Run a simulator as a real HTTP server on loopback."""

import asyncio
import gc
import ipaddress
import socket
import sys
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol


class _ReachableTransport(H11Protocol):
    """Puts the connection's transport into the scope's state, so that a fault can close it without an answer."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine only: `localhost` or a loopback address literal."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(app: ASGIApp, host: str, port: int, *, date_header: bool = True) -> None:
    """Serve `app` until a signal; prints `listening on http://HOST:PORT` once the port is open. Port 0 picks one.

    `date_header=False` leaves the `Date` header to an application that has a clock of its own.
    Raises ValueError when `host` is not loopback: the simulators have no protection of their own.
    """
    if not is_loopback(host):
        raise ValueError("a simulator listens on loopback only")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or asyncio sets no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        app,
        http=_ReachableTransport,
        ws="none",
        lifespan="auto",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=date_header,
        backlog=512,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=60,
    )
    listener.listen(config.backlog)
    # Parsing one large body makes tens of thousands of objects; collecting in the middle of it triples its time.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    sys.stdout.write(f"listening on http://{shown}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
