"""The main job on the simulated retailer of size S: its first day and its second."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from khach.environment import PROJECT

FIRST_BAR_SECONDS, SECOND_BAR_SECONDS = 90, 60


def run() -> bool:
    """Time `make run` twice after set-up, the second being the next simulated day."""
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as folder:
        first, second = _make_run(Path(folder)), _make_run(Path(folder))
    print(
        f"job: first day {first:.1f} s (bar {FIRST_BAR_SECONDS} s), "
        f"second day {second:.1f} s (bar {SECOND_BAR_SECONDS} s)"
    )
    return first < FIRST_BAR_SECONDS and second < SECOND_BAR_SECONDS


def _make_run(folder: Path) -> float:
    variables = {"KHACH_HOME": str(folder / "data"), "KHACH_CONFIG": str(folder / "config")}
    started = time.perf_counter()
    subprocess.run(["make", "-s", "run"], cwd=PROJECT, env=os.environ | variables, check=True)
    return time.perf_counter() - started
