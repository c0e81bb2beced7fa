"""Starting and stopping the platform as a process of its own."""

import base64
from pathlib import Path

from sandbox.mailchimp import store
from sandbox.server_process import Running, ServerProcess, stop_server

KEY_VARIABLE = "SANDBOX_MAILCHIMP_KEY"


def start(root: Path, api_key: str, port: int | None = None) -> Running:
    """Serve `root`'s state on the loopback and wait until it answers.

    A platform that already answers for this `root` and key is left as it is. Raises RuntimeError
    when the process ends or stays silent; its log is `root/logs/mailchimp.log`.
    """
    store.prepare(root)
    credentials = base64.b64encode(f"sandbox:{api_key}".encode()).decode()
    server = ServerProcess(
        "mailchimp", KEY_VARIABLE, api_key, "/3.0", "/ping", f"Basic {credentials}"
    )
    return server.start(root, port)


def stop(root: Path) -> bool:
    """End the platform of `root`; returns whether one was running. Its state stays."""
    return stop_server(root, "mailchimp")
