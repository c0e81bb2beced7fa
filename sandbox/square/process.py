"""Starting and stopping the tills' API as a process of its own."""

from pathlib import Path

from sandbox.server_process import Running, ServerProcess, stop_server

KEY_VARIABLE = "SANDBOX_SQUARE_TOKEN"


def start(root: Path, token: str, port: int | None = None) -> Running:
    """Serve the tills of `root` on the loopback and wait until they answer."""
    server = ServerProcess("square", KEY_VARIABLE, token, "", "/v2/locations", f"Bearer {token}")
    return server.start(root, port)


def stop(root: Path) -> bool:
    """End the server of `root`; returns whether one was running."""
    return stop_server(root, "square")
