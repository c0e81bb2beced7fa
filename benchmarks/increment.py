"""What a day costs on a year of history: a run with nothing new, and one day's increment.

One files source, a table of orders by the day. History is 365 daily loads, each ingested, accepted
and, at the end of a month, staged; then days are timed, ingest and staging together, each between
two runs with nothing new. The full load is the same year in one go, into an empty installation.
Everything is in one process, so that its start and the imports are in no figure.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from khach.environment import PROJECT, Environment, load_environment

DAYS, ROWS = 365, 20_000
FIRST = date(2025, 1, 1)
EMPTY_BAR, SHARE_BAR, GROWTH_BAR = 1.0, 0.03, 1.2
SOURCES = """sources:
  shop:
    kind: files
    area: web
    folder: FOLDER
    tables:
      orders:
        from: "orders-*.csv"
        columns: {order_id: id, email: email, ordered_at: at, status: status, updated_at: at}
"""


class Shop:
    """An installation with one source, and dbt on its staging, in this process."""

    def __init__(self, folder: Path, delivered: Path, project: Path) -> None:
        self.home, self.delivered, self.project = folder, delivered, project
        self.home.mkdir()
        (self.home / "sources.yml").write_text(SOURCES.replace("FOLDER", str(delivered)))
        self.manifest: Any = None
        self.dbt("parse")

    @property
    def env(self) -> Environment:
        os.environ |= {"KHACH_ENV": "dev", "KHACH_HOME": str(self.home)}
        os.environ["KHACH_CONFIG"] = str(self.home)
        return load_environment()

    def dbt(self, *arguments: str) -> None:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        from ingestion.vars import dbt_sources
        from khach.state import open_state

        with open_state(self.env):
            pass
        variables = {"lake": str(self.env.lake), "sources": dbt_sources(self.env)}
        done: Any = dbtRunner(manifest=self.manifest).invoke(
            [
                *("--quiet", "--log-level-file", "none", *arguments),
                *("--project-dir", str(self.project), "--profiles-dir", str(self.project)),
                *("--target-path", str(self.env.dbt_target), "--vars", json.dumps(variables)),
            ]
        )
        close: Callable[[], None] = DuckDBConnectionManager.close_all_connections
        close()
        assert done.success, done.exception or [result.message for result in done.result]
        self.manifest = self.manifest or done.result

    def ingest(self) -> None:
        from ingestion import verdicts
        from ingestion.run import ingest

        if load := ingest(self.env, "shop"):
            verdicts.accept(self.env, "shop", load.load_id, by="benchmark", reason="")

    def stage(self) -> None:
        self.dbt("run", "-s", "stg_entities__orders")


def run() -> bool:
    """Time empty days, the days after the first and after a year, and the year in one load."""
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as name:
        folder = Path(name)
        project = folder / "project"
        without = shutil.ignore_patterns(
            "target", "logs", "data-tests", "exposures.yml", "identity", "intermediate", "marts",
            "seeds",
        )  # fmt: skip
        shutil.copytree(PROJECT / "dbt_project", project, ignore=without)
        for part in ("daily", "year", "warm"):
            (folder / part).mkdir()
        warm = Shop(folder / "warm-home", folder / "warm", project)
        deliver(folder / "warm", 0)
        seconds(warm.ingest), seconds(warm.stage)

        daily = Shop(folder / "daily-home", folder / "daily", project)
        early = [timed_day(daily, day) for day in range(12)]
        for day in range(12, DAYS - 12):
            deliver(daily.delivered, day)
            daily.ingest()
            if day % 30 == 0:
                daily.stage()
        daily.stage()
        late = [timed_day(daily, day) for day in range(DAYS - 12, DAYS)]

        for day in range(DAYS):
            (folder / "year" / file_name(day)).hardlink_to(folder / "daily" / file_name(day))
        year = Shop(folder / "year-home", folder / "year", project)
        full = seconds(year.ingest), seconds(year.stage)
    return report(early, late, full)


Day = tuple[float, float, float, float]  # ingest and stage with nothing new, and with a new day


def timed_day(shop: Shop, day: int) -> Day:
    """Nothing new, then one day more."""
    empty = seconds(shop.ingest), seconds(shop.stage)
    deliver(shop.delivered, day)
    return *empty, seconds(shop.ingest), seconds(shop.stage)


def report(early: list[Day], late: list[Day], full: tuple[float, float]) -> bool:
    """Print the figures beside their bars."""
    # The first day of all makes the tables; the 2nd is the first of the days that only add.
    first, last = median(early[1:]), median(late)
    empty_ingest, empty_stage, ingest, stage = last
    share = (ingest + stage - empty_ingest - empty_stage) / sum(full)
    growth = {
        "ingest": ingest / first[2], "staging": stage / first[3],
        "both": (ingest + stage) / (first[2] + first[3]),
    }  # fmt: skip
    for name, values in (("2nd day", first), ("365th day", last)):
        print("{}: nothing new {:.3f} + {:.3f} s, one day {:.3f} + {:.3f} s".format(name, *values))
    print(f"full load: {full[0]:.1f} + {full[1]:.1f} s for {DAYS * ROWS:,} rows")
    print("365th to 2nd day: " + ", ".join(f"{n} {v:.2f}" for n, v in growth.items()))
    print(
        f"increment: nothing new {empty_ingest:.2f} s (bar {EMPTY_BAR} s), one day {share:.1%} of "
        f"the full load (bar {SHARE_BAR:.0%}), 365th day {growth['both']:.2f} of the 2nd "
        f"(bar {GROWTH_BAR})"
    )
    return empty_ingest < EMPTY_BAR and share < SHARE_BAR and growth["both"] <= GROWTH_BAR


def median(days: list[Day]) -> Day:
    """The median of each figure."""
    one, two, three, four = (statistics.median(column) for column in zip(*days, strict=True))
    return one, two, three, four


def deliver(folder: Path, day: int) -> None:
    """A day's orders: nine in ten new, the others changes of the days before."""
    on = FIRST + timedelta(days=day)
    number = f"if(i % 10 = 0, greatest({day} - 1 - i % 7, 0), {day}) * {ROWS} + i"
    duckdb.sql(
        f"copy (select {number} as id, 'person' || i || '@example.org' as email, "
        f"timestamp '{on}' + interval (i) second as at, 'paid' as status from range({ROWS}) as r(i)"
        f") to '{folder / file_name(day)}' (header)"
    )


def file_name(day: int) -> str:
    """The name of a day's delivery."""
    return f"orders-{FIRST + timedelta(days=day)}.csv"


def seconds(work: Callable[[], None]) -> float:
    """How long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
