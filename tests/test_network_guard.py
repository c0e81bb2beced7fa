"""The guard itself must be able to fail."""

import socket
import subprocess
import sys

import pytest


def test_the_network_is_blocked_in_this_process() -> None:
    with pytest.raises(PermissionError, match="blocked in tests"), socket.socket() as client:
        client.connect(("192.0.2.1", 80))


def test_the_network_is_blocked_in_child_processes() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert child.returncode != 0
    assert "blocked in tests" in child.stderr


def test_loopback_is_open() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
