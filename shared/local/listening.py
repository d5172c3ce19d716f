"""Addresses on this machine: where a server may listen, and how a client beside it calls it."""

from __future__ import annotations

import errno
import os
import secrets
import socket

from shared.errors import SyncError

_PORTS = range(15_000, 32_000)
"""Below what systems take for outgoing connections (Linux from 32768, others from 49152). A port from there could be gone
between our look and the server's start, or while a server that comes back is down."""


class CannotListen(SyncError):
    """The address that a server shall listen on is taken or not ours."""


def free_port() -> int:
    """A loopback port that nothing listens on at this moment, and that no outgoing connection takes.

    Raises `CannotListen` when the reason is another one than that ports are taken.
    """
    while True:
        port = secrets.choice(_PORTS)
        fault = _fault_of("127.0.0.1", port)
        if fault is None:
            return port
        if fault != errno.EADDRINUSE:
            raise _cannot_listen("127.0.0.1", port, fault)


def check_port(host: str, port: int) -> None:
    """Raise `CannotListen` when nothing could listen on that address, instead of letting a server find out."""
    if (fault := _fault_of(host, port)) is not None:
        raise _cannot_listen(host, port, fault)


def local_host(host: str) -> str:
    """The host that a client on this machine uses for a server bound to `host`."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 - compared, not bound
        return "127.0.0.1" if host != "::" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _cannot_listen(host: str, port: int, fault: int) -> CannotListen:
    return CannotListen(f"cannot listen on {host}:{port}: {os.strerror(fault)}")


def _fault_of(host: str, port: int) -> int | None:
    """Why nothing could listen there, as the system's error number; None when it could."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno or errno.EADDRNOTAVAIL
    return None
