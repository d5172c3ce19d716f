"""Ports on this machine: which one is given out, and what is said of one that is taken."""

from __future__ import annotations

import socket

import pytest

from shared.local.listening import CannotListen, check_port, free_port, local_host


def test_a_taken_port_is_named_before_anything_starts() -> None:
    """Two servers on one port: the second learns it at once."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(CannotListen, match=f"127.0.0.1:{port}"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", free_port())


def test_a_free_port_is_none_that_an_outgoing_connection_may_get() -> None:
    """Else a server that is started a moment later, or again, now and then finds it taken."""
    with socket.socket() as outgoing:
        outgoing.bind(("127.0.0.1", 0))
        assert max(free_port() for _ in range(100)) < min(32_768, outgoing.getsockname()[1])


@pytest.mark.parametrize(
    ("bound", "called"),
    [("0.0.0.0", "127.0.0.1"), ("", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("10.0.0.7", "10.0.0.7")],
)
def test_a_server_on_all_addresses_is_called_on_loopback(bound: str, called: str) -> None:
    """And an IPv6 address stands in brackets, as a URL wants it."""
    assert local_host(bound) == called
