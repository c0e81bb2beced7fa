"""A whole installation in a folder, driven as an operator does: by the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

KHACH = Path(sys.executable).with_name("khach")


@dataclass(frozen=True)
class Installation:
    """$KHACH_HOME and $KHACH_CONFIG below one folder, in the sandbox environment."""

    folder: Path
    environment: str = "sandbox"

    @property
    def home(self) -> Path:
        return self.folder / "data"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def variables(self) -> dict[str, str]:
        return os.environ | {
            "KHACH_ENV": self.environment,
            "KHACH_HOME": str(self.home),
            "KHACH_CONFIG": str(self.config),
        }

    def khach(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; fails the test when the exit code is another than expected."""
        done = subprocess.run(
            [str(KHACH), *arguments],
            env=self.variables(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if expect is not None:
            assert done.returncode == expect, (
                f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def json(self, *arguments: str, expect: int | None = 0) -> Any:
        return json.loads(self.khach(*arguments, "--json", expect=expect).stdout)

    def killed_run(self, when: Callable[[], bool], delay: float, limit: float = 120) -> bool:
        """Start `khach run`, SIGKILL it `delay` seconds after `when()` is first true.

        Returns whether it was still running when killed. Its children (dbt) are killed with it.
        """
        with (self.folder / "killed.log").open("w") as log:
            process = subprocess.Popen(
                [str(KHACH), "run"],
                env=self.variables(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            deadline = time.monotonic() + limit
            while process.poll() is None and not when():
                assert time.monotonic() < deadline, "the moment to kill at never came"
                time.sleep(0.005)
            time.sleep(delay)
            was_running = process.poll() is None
            if was_running:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return was_running

    def copy(self, folder: Path) -> "Installation":
        # `cp -a` keeps owners: as root, PostgreSQL runs as a user of its own.
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        return Installation(folder, self.environment)

    def marts(self) -> duckdb.DuckDBPyConnection:
        path = self.home / "published" / "current" / "marts.duckdb"
        return duckdb.connect(str(path), read_only=True)

    def operations(self) -> duckdb.DuckDBPyConnection:
        path = self.home / "published" / "operations.duckdb"
        return duckdb.connect(str(path), read_only=True)
