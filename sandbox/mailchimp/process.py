"""Starting and stopping the platform as a process of its own."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TypedDict

from sandbox.mailchimp import store
from sandbox.processes import has_ended, is_alive

KEY_VARIABLE = "SANDBOX_MAILCHIMP_KEY"
_PATIENCE_SECONDS = 30


class Running(TypedDict):
    """Where the platform answers."""

    url: str
    port: int
    pid: int


def start(root: Path, api_key: str, port: int | None = None) -> Running:
    """Serve `root`'s state on the loopback and wait until it answers.

    A platform that already answers for this `root` and key is left as it is. Raises RuntimeError
    when the process ends or stays silent; its log is `root/logs/mailchimp.log`.
    """
    store.prepare(root)
    if running := _running(root):
        if _answers(running["port"], api_key):
            return running
        stop(root)
    port = port or _free_port()
    log_file = root / "logs" / "mailchimp.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.mailchimp", str(root), str(port)],
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | {KEY_VARIABLE: api_key},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running = Running(url=f"http://127.0.0.1:{port}/3.0", port=port, pid=process.pid)
    _pid_file(root).write_text(json.dumps(running), encoding="utf-8")
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _answers(port, api_key):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"the e-mail platform did not start; see {log_file}")
        time.sleep(0.05)
    return running


def stop(root: Path) -> bool:
    """End the platform of `root`; returns whether one was running. Its state stays."""
    running = _running(root)
    for ending in (signal.SIGTERM, signal.SIGKILL):
        if running and is_alive(running["pid"]):
            with suppress(ProcessLookupError):
                os.kill(running["pid"], ending)
            has_ended(running["pid"], seconds=5)
    _pid_file(root).unlink(missing_ok=True)
    return running is not None


def _pid_file(root: Path) -> Path:
    return root / "mailchimp" / "server.json"


def _running(root: Path) -> Running | None:
    """What the pid file says, when that process is still this platform (pids are reused)."""
    try:
        running: Running = json.loads(_pid_file(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return running if is_alive(running["pid"], "sandbox.mailchimp", str(root)) else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, api_key: str) -> bool:
    credentials = base64.b64encode(f"sandbox:{api_key}".encode()).decode()
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/3.0/ping", headers={"Authorization": f"Basic {credentials}"})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
