"""Starting and stopping the shop as a process of its own."""

import base64
from pathlib import Path

from sandbox.server_process import Running, ServerProcess, stop_server

KEY_VARIABLE = "SANDBOX_WOOCOMMERCE_KEYS"
BASE = "/wp-json/wc/v3"


def start(root: Path, key: str, secret: str, port: int | None = None) -> Running:
    """Serve the shop of `root` on the loopback and wait until it answers."""
    pair = f"{key}:{secret}"
    credentials = base64.b64encode(pair.encode()).decode()
    probe = "/products?per_page=1"
    server = ServerProcess("woocommerce", KEY_VARIABLE, pair, BASE, probe, f"Basic {credentials}")
    return server.start(root, port)


def stop(root: Path) -> bool:
    """End the shop of `root`; returns whether one was running."""
    return stop_server(root, "woocommerce")
