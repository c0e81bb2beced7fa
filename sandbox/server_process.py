"""Starting and stopping one of the sandbox's HTTP servers as a process of its own, on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TypedDict

from sandbox.processes import has_ended, is_alive

_PATIENCE_SECONDS = 30


class Running(TypedDict):
    """Where the server answers."""

    url: str
    port: int
    pid: int


@dataclass(frozen=True)
class ServerProcess:
    """`python -m sandbox.<name> ROOT PORT`; its key comes by the environment.

    `base` ends the address that clients use; a GET of `probe` with `headers` says that it is up.
    """

    name: str
    key_variable: str
    key: str
    base: str
    probe: str
    authorization: str

    def start(self, root: Path, port: int | None = None) -> Running:
        """Serve `root` and wait until it answers; a server that already does is left as it is.

        Raises RuntimeError when the process ends or stays silent; its log is under `root/logs`.
        """
        if running := self.running(root):
            if self._answers(running["port"]):
                return running
            self.stop(root)
        port = port or _free_port()
        log_file = root / "logs" / f"{self.name}.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"sandbox.{self.name}", str(root), str(port)],
                cwd=Path(__file__).resolve().parents[1],
                env=os.environ | {self.key_variable: self.key},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running = Running(url=f"http://127.0.0.1:{port}{self.base}", port=port, pid=process.pid)
        pid_file = _pid_file(root, self.name)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        pid_file.write_text(json.dumps(running), encoding="utf-8")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"the {self.name} server did not start; see {log_file}")
            time.sleep(0.05)
        return running

    def stop(self, root: Path) -> bool:
        """End the server of `root`; returns whether one was running. Its state stays."""
        return stop_server(root, self.name)

    def running(self, root: Path) -> Running | None:
        """What the pid file says, when that process is still this server (pids are reused)."""
        return running_server(root, self.name)

    def _answers(self, port: int) -> bool:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request(
                "GET", self.base + self.probe, headers={"Authorization": self.authorization}
            )
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def stop_server(root: Path, name: str) -> bool:
    """End the server `name` of `root`, if it runs."""
    running = running_server(root, name)
    for ending in (signal.SIGTERM, signal.SIGKILL):
        if running and is_alive(running["pid"]):
            with suppress(ProcessLookupError):
                os.kill(running["pid"], ending)
            has_ended(running["pid"], seconds=5)
    _pid_file(root, name).unlink(missing_ok=True)
    return running is not None


def running_server(root: Path, name: str) -> Running | None:
    """Where the server `name` of `root` runs; None when it does not."""
    try:
        running: Running = json.loads(_pid_file(root, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return running if is_alive(running["pid"], f"sandbox.{name}", str(root)) else None


def _pid_file(root: Path, name: str) -> Path:
    return root / name / "server.json"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
