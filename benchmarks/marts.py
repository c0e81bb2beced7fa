"""Accepted lake to published marts, identity included, beside the bare SQL of the same result.

The simulated retailer of size L (another by $KHACH_BENCH_SIZE) is taken into the lake once. Then
bare SQL and whole builds take turns: typed staging with JSON extraction, sessions, edges, RFM and
sums per customer in one DuckDB process of two threads; and `khach run --select build,check,publish`
into an empty warehouse with the state of before any build. Of a build's seconds the fit of customer
value is taken off, which has a benchmark of its own. The increment is the next simulated day's
build, less that of a run with nothing new. The costliest models are printed with their seconds.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.bare.marts import build

KHACH = Path(sys.executable).with_name("khach")
ROUNDS = 2
RATIO_BAR, INCREMENT_BAR, GIB_BAR = 3.0, 0.15, 6.0


class Build(NamedTuple):
    """A build's seconds, those of the value fits in it, and the most that one process held."""

    seconds: float
    fits: float
    gib: float


def run() -> bool:
    """Fill the lake, let bare SQL and builds take turns, then an empty day and a real one."""
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as name:
        folder = Path(name)
        home = folder / "data"
        _khach(folder, "init", "--sandbox")
        _khach(folder, "sandbox", "advance", "--size", os.environ.get("KHACH_BENCH_SIZE", "L"))
        _khach(folder, "run", "--select", "ingest")
        shutil.copy(home / "state.duckdb", folder / "before.duckdb")
        bare, full = [], []
        for _ in range(ROUNDS):
            bare.append(build(home / "lake", folder / "bare"))
            (home / "warehouse.duckdb").unlink(missing_ok=True)
            shutil.copy(folder / "before.duckdb", home / "state.duckdb")
            full.append(_build(folder))
            _tell_costliest(home)
        empty = [_build(folder) for _ in range(ROUNDS)]
        _khach(folder, "sandbox", "advance")
        _khach(folder, "run", "--select", "ingest")
        day = _build(folder)
        _tell_costliest(home)
    return _report(bare, full, empty, day)


def _report(bare: list[float], full: list[Build], empty: list[Build], day: Build) -> bool:
    whole = statistics.median(one.seconds - one.fits for one in full)
    nothing = statistics.median(one.seconds - one.fits for one in empty)
    ratio = whole / statistics.median(bare)
    share = (day.seconds - day.fits - nothing) / whole
    peak = max(one.gib for one in [*full, *empty, day])
    print("bare " + ", ".join(f"{seconds:.1f}" for seconds in bare) + " s; builds "
          + ", ".join(f"{one.seconds:.1f} ({one.fits:.1f} of them fits)" for one in full)
          + f" s; nothing new {nothing:.1f} s; a day {day.seconds - day.fits:.1f} s")  # fmt: skip
    print(
        f"marts: {ratio:.1f} times bare SQL (bar {RATIO_BAR:.0f}), a day {share:.1%} of a build "
        f"(bar {INCREMENT_BAR:.0%}), peak {peak:.1f} GiB (bar {GIB_BAR:.0f})"
    )
    return ratio < RATIO_BAR and share < INCREMENT_BAR and peak < GIB_BAR


def _build(folder: Path) -> Build:
    started = time.perf_counter()
    process = subprocess.Popen(
        [KHACH, "run", "--select", "build,check,publish"],
        env=_variables(folder), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    # The most that it or a child that it waited for (dbt) held, in KiB.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    models = _seconds_by_model(folder / "data")
    return Build(seconds, models.get("customer_value_fits", 0.0), usage.ru_maxrss / 2**20)


def _tell_costliest(home: Path) -> None:
    models = _seconds_by_model(home)
    costliest = sorted(models.items(), key=lambda one: -one[1])[:12]
    print(f"dbt {sum(models.values()):.0f} s on two threads: "
          + ", ".join(f"{name} {seconds:.1f}" for name, seconds in costliest))  # fmt: skip


def _seconds_by_model(home: Path) -> dict[str, float]:
    results = json.loads((home / "dbt" / "run_results.json").read_text(encoding="utf-8"))["results"]
    return {
        result["unique_id"].split(".")[2]: result["execution_time"]
        for result in results
        if result["unique_id"].startswith("model.")
    }


def _khach(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [KHACH, *arguments], env=_variables(folder), stdout=subprocess.DEVNULL, check=True
    )


def _variables(folder: Path) -> dict[str, str]:
    return os.environ | {
        "KHACH_ENV": "sandbox",
        "KHACH_HOME": str(folder / "data"),
        "KHACH_CONFIG": str(folder / "config"),
    }
