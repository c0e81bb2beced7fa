"""SIGKILL at a point drawn by a printed seed: the next run ends as an undisturbed one would."""

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("kills")]

# What differs between two installations by nature: ids of runs, and when on the wall clock a
# configuration was first seen. Never a figure.
VOLATILE = {"run_id", "snapshot_id", "load_id", "configuration_version", "changed_at"}

MEMBERS_SQL = """
select m.list_id, m.member_id, m.status, m.merge_fields, group_concat(t.name, ',')
from members as m
left join member_tags as mt on m.list_id = mt.list_id and m.member_id = mt.member_id
left join tags as t on mt.tag_id = t.tag_id
group by 1, 2, 3, 4 order by 1, 2
"""
REPEATED_SQL = """
select list_id, member_id, effect, tag, count(*) from effects
where effect in ('member_created', 'tag_added') group by 1, 2, 3, 4 having count(*) > 1
"""


def _ingestion(home: Path) -> bool:
    return any((home / "dlt").glob("**/normalize/*")) or any((home / "lake").glob("raw_*"))


def _dbt(home: Path) -> bool:
    return (home / "warehouse.duckdb").exists()


def _publish(home: Path) -> bool:
    return any((home / "published").glob("*.partial"))


def _apply(home: Path) -> bool:
    with sqlite3.connect(home / "sandbox" / "mailchimp" / "state.sqlite", timeout=30) as platform:
        written = platform.execute(
            "select count(*) from requests where method in ('PUT', 'POST')"
        ).fetchone()
    return bool(written and written[0])


STAGES: dict[str, tuple[Callable[[Path], bool], float]] = {
    "ingestion": (_ingestion, 3.0),
    "dbt": (_dbt, 8.0),
    "publish": (_publish, 0.4),
    "apply": (_apply, 0.2),
}


def drawn(stage: str) -> float:
    """Seconds to wait in a stage before the kill, by a printed seed."""
    seed = int(os.environ.get("KHACH_SEED", random.SystemRandom().randrange(10**6)))
    print(f"KHACH_SEED={seed} in {stage}")  # noqa: T201 (pytest shows it when the test fails)
    return random.Random(seed).uniform(0, STAGES[stage][1])


def kill_in(stage: str, victim: Installation) -> None:
    reached, _ = STAGES[stage]
    was_running = victim.killed_run(lambda: reached(victim.home), drawn(stage))
    assert was_running, f"{stage} ended before the kill"


def test_a_job_killed_in_a_drawn_stage_ends_as_an_undisturbed_one(
    twin: Installation, victim: Installation
) -> None:
    """One stage a time here, all of them at night; applies are killed in tests/activation, too."""
    stage = random.SystemRandom().choice(("ingestion", "dbt", "publish"))
    kill_in(stage, victim)
    victim.khach("run")
    assert differing_marts(twin, victim) == []
    assert members(victim) == members(twin)
    assert repeated_effects(victim) == []


@pytest.mark.nightly
def test_a_job_killed_in_every_stage_in_turn_ends_as_an_undisturbed_one(
    settled: Installation, victim: Installation
) -> None:
    """Each run has to repair what the one before left, and dies itself a stage later."""
    for stage in STAGES:
        kill_in(stage, victim)
    victim.khach("run")
    # What the platform was told comes back with the next runs, and here it was told in two parts:
    # both installations look at it until nothing moves.
    victim.khach("run")
    victim.khach("run")
    assert differing_marts(settled, victim) == []
    assert members(victim) == members(settled)
    assert repeated_effects(victim) == []


@pytest.mark.nightly
@pytest.mark.parametrize("attempt", range(6))
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_leaves_no_trace_after_the_next(
    stage: str, attempt: int, twin: Installation, settled: Installation, victim: Installation
) -> None:
    kill_in(stage, victim)
    victim.khach("run")
    if stage == "apply":
        victim.khach("run")
        victim.khach("run")
        twin = settled
    assert differing_marts(twin, victim) == []
    assert members(victim) == members(twin)
    assert repeated_effects(victim) == []


def differing_marts(left: Installation, right: Installation) -> list[str]:
    """Tables whose rows differ between two installations, volatile columns aside."""
    with duckdb.connect() as connection:
        for name, installation in (("l", left), ("r", right)):
            path = installation.home / "published" / "current" / "marts.duckdb"
            connection.execute(f"attach '{path}' as {name} (read_only)")
        rows = connection.execute(
            "select table_name, list(column_name order by column_index) "
            "from duckdb_columns() where database_name = 'l' and schema_name = 'main' group by 1"
        ).fetchall()
        assert len(rows) > 30
        return [
            f"{table}: {left_only} rows only in one, {right_only} only in the other"
            for table, columns in rows
            for left_only, right_only in [_difference(connection, table, columns)]
            if left_only or right_only
        ]


def _difference(
    connection: duckdb.DuckDBPyConnection, table: str, columns: list[str]
) -> tuple[int, int]:
    kept = ", ".join(f'"{column}"' for column in columns if column not in VOLATILE)
    counts = []
    for one, other in (("l", "r"), ("r", "l")):
        row = connection.execute(
            f"select count(*) from (select {kept} from {one}.main.{table} "
            f"except all select {kept} from {other}.main.{table})"
        ).fetchone()
        counts.append(int(row[0]) if row else 0)
    return counts[0], counts[1]


def members(installation: Installation) -> list[tuple]:
    """The platform's members with their status and active tags."""
    path = installation.home / "sandbox" / "mailchimp" / "state.sqlite"
    with sqlite3.connect(path) as platform:
        return platform.execute(MEMBERS_SQL).fetchall()


def repeated_effects(installation: Installation) -> list[tuple]:
    """Members created twice or tags added twice, by the platform's own log."""
    path = installation.home / "sandbox" / "mailchimp" / "state.sqlite"
    with sqlite3.connect(path) as platform:
        return platform.execute(REPEATED_SQL).fetchall()
