"""Starting and stopping the platforms as one process of its own, and what an operator would set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sandbox.channels import store
from sandbox.channels.registry import VENDORS
from sandbox.server_process import Running, ServerProcess, stop_server

KEYS_VARIABLE = "SANDBOX_CHANNELS_KEYS"
CHANNELS = frozenset(channel for vendor in VENDORS for channel in vendor.channels)


def new_keys() -> dict[str, str]:
    """Secrets in the vendors' forms."""
    return {name: key for vendor in VENDORS for name, key in vendor.new_keys().items()}


def start(root: Path, keys: Mapping[str, str], port: int | None = None) -> Running:
    """Serve all platforms of `root` on the loopback and wait until they answer."""
    store.prepare(root)
    own = {name: keys[name] for name in new_keys()}
    server = ServerProcess("channels", KEYS_VARIABLE, json.dumps(own), "", "/ping", "")
    return server.start(root, port)


def stop(root: Path) -> bool:
    """End the server of `root`; returns whether one was running. Its state stays."""
    return stop_server(root, "channels")


def variables(running: Running, keys: Mapping[str, str]) -> dict[str, str]:
    """Addresses, keys and senders of every platform."""
    values: dict[str, str] = {}
    for vendor in VENDORS:
        values |= vendor.variables(f"{running['url']}/{vendor.name}", keys)
    return values
