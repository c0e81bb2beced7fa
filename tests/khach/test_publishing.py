"""Publishing is whole or not at all, for readers at any moment and after a kill at any line."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from khach.checks import CheckResult, record_checks
from khach.environment import PROJECT, Environment
from khach.errors import GateError, KhachError
from khach.publishing import (
    KEPT,
    current_snapshot,
    kept_of,
    publish,
    rollback,
    snapshots_on_disk,
)
from khach.state import open_state
from tests.khach.warehouse import build_warehouse, read, write_manifest

AS_OF = datetime(2026, 6, 30, 17, tzinfo=UTC)


def _marts(env: Environment) -> Path:
    return env.current / "marts.duckdb"


def _check(env: Environment, run_id: str, *, is_success: bool) -> None:
    with open_state(env) as state:
        record_checks(state, run_id, [CheckResult("keys", "marts", "unique", is_success)])


def test_a_snapshot_holds_every_mart_with_its_descriptions_and_parquet(env: Environment) -> None:
    build_warehouse(env)
    _check(env, "r1", is_success=True)
    snapshot_id = publish(env, "r1", AS_OF)
    assert current_snapshot(env) == snapshot_id
    tables = read(_marts(env), "select table_name, comment from duckdb_tables() order by 1")
    assert tables == [
        ("customers", "One row per customers; it's described"),
        ("orders", "One row per orders; it's described"),
    ]
    (comment,) = read(
        _marts(env),
        "select comment from duckdb_columns() where table_name = 'customers' "
        "and schema_name = 'main' and column_name = 'email'",
    )
    assert comment == ("what email means",)
    for table in ("customers", "orders"):
        same = f"select count(*) from (from {table} except from '{env.current}/{table}.parquet')"
        assert read(_marts(env), same) == [(0,)]
        assert read(_marts(env), f"select count(*) from '{env.current}/{table}.parquet'") == [
            (100,)
        ]
    with open_state(env) as state:
        rows = state.execute("select snapshot_id, run_id, as_of, is_green from snapshots")
        assert rows.fetchall() == [(snapshot_id, "r1", AS_OF.replace(tzinfo=None), True)]
    assert {path.name for path in (env.published / snapshot_id).iterdir()} == {
        "marts.duckdb", "snapshot.json", "customers.parquet", "orders.parquet",
    }  # fmt: skip


def test_analysts_see_neither_personal_nor_undescribed_columns(env: Environment) -> None:
    build_warehouse(env)
    publish(env, "r1", AS_OF)
    with duckdb.connect() as connection:  # under another name, as a BI tool may attach it
        connection.execute(f"attach '{_marts(env)}' as shop (read_only)")
        cursor = connection.execute("select * from shop.analyst.customers limit 1")
        assert [c[0] for c in cursor.description] == ["customer_id", "lifecycle_stage"]


def test_without_a_manifest_nothing_is_published(env: Environment) -> None:
    build_warehouse(env)
    (env.dbt_target / "manifest.json").unlink()
    with pytest.raises(KhachError, match="personal"):
        publish(env, "r1", AS_OF)
    assert current_snapshot(env) is None
    write_manifest(env)
    publish(env, "r1", AS_OF)
    assert not list(env.published.glob("*.partial"))


def test_a_failed_check_of_the_run_stops_publishing(env: Environment) -> None:
    build_warehouse(env)
    _check(env, "r1", is_success=False)
    with pytest.raises(GateError):
        publish(env, "r1", AS_OF)
    assert current_snapshot(env) is None


def test_a_snapshot_without_any_check_is_not_green(env: Environment) -> None:
    build_warehouse(env)
    publish(env, "r1", AS_OF)
    with open_state(env) as state:
        assert state.execute("select is_green from snapshots").fetchall() == [(False,)]


def test_the_last_three_stay_and_rollback_walks_back_through_them(env: Environment) -> None:
    build_warehouse(env)
    ids = [publish(env, f"r{number}", AS_OF) for number in range(KEPT + 2)]
    assert snapshots_on_disk(env) == ids[-KEPT:]
    assert rollback(env) == ids[-2] == current_snapshot(env)
    assert rollback(env) == ids[-3]
    with pytest.raises(KhachError, match="no earlier"):
        rollback(env)
    newest = publish(env, "r9", AS_OF)
    assert current_snapshot(env) == newest


def test_the_hours_of_a_day_do_not_push_out_the_days_before() -> None:
    nights = [f"s202606{day}T0300" for day in (26, 27, 28, 29)]
    hours = [f"s20260630T{hour:02}00" for hour in range(3, 9)]
    assert sorted(kept_of(nights + hours)) == [*nights[-2:], *hours[-3:]]
    assert sorted(kept_of(nights)) == nights[-3:]


def test_a_reader_of_the_old_snapshot_keeps_reading_after_it_is_removed(env: Environment) -> None:
    build_warehouse(env, version=1)
    first = publish(env, "r0", AS_OF)
    with duckdb.connect(str(_marts(env)), read_only=True) as reader:
        for number in range(KEPT + 1):
            build_warehouse(env, version=2 + number)
            publish(env, f"r{number}", AS_OF)
        assert first not in snapshots_on_disk(env)
        assert reader.execute("select distinct version from orders").fetchall() == [(1,)]


READER = textwrap.dedent(
    """
    import sys, duckdb
    path, seen = sys.argv[1], 0
    print("reading", flush=True)
    while True:
        with duckdb.connect(path, read_only=True) as connection:
            (customers,) = connection.execute(
                "select count(*), min(undescribed), max(undescribed) from customers").fetchall()
            (orders,) = connection.execute(
                "select count(*), min(version), max(version) from orders").fetchall()
        assert customers == orders and orders[0] == 100 and orders[1] == orders[2], orders
        seen += 1
        print(seen, flush=True)
    """
)


def test_a_concurrent_reader_never_meets_an_absent_or_half_written_table(
    env: Environment, tmp_path: Path
) -> None:
    build_warehouse(env)
    publish(env, "r0", AS_OF)
    log = tmp_path / "reader.log"
    with log.open("w") as out:
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(_marts(env))], stdout=out, stderr=out
        )
        try:
            _wait_for(lambda: "reading" in log.read_text())
            for number in range(1, 9):
                build_warehouse(env, version=number)
                publish(env, f"r{number}", AS_OF)
            rollback(env)
            reads = len(log.read_text().splitlines())
            _wait_for(lambda: len(log.read_text().splitlines()) > reads + 2)
            assert reader.poll() is None, log.read_text()
        finally:
            reader.kill()
            reader.wait()


PUBLISHER = textwrap.dedent(
    """
    from datetime import UTC, datetime
    from khach.environment import load_environment
    from khach.publishing import publish
    env = load_environment()
    print("ready", flush=True)
    while True:
        publish(env, "r1", datetime(2026, 6, 30, tzinfo=UTC))
    """
)


def test_a_kill_at_any_point_leaves_a_whole_snapshot_and_the_next_publish_works(
    env: Environment,
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    draw = random.Random(seed)
    build_warehouse(env)
    publish(env, "r0", AS_OF)
    for _ in range(6):
        publisher = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER], stdout=subprocess.PIPE, cwd=PROJECT, env=os.environ
        )
        assert publisher.stdout and publisher.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.0, 0.7))
        publisher.send_signal(signal.SIGKILL)
        publisher.wait()
        publisher.stdout.close()
        assert read(_marts(env), "select count(*) from orders") == [(100,)]
        assert read(_marts(env), "select count(*) from analyst.customers") == [(100,)]
    newest = publish(env, "r2", AS_OF)
    assert current_snapshot(env) == newest
    assert 1 < len(snapshots_on_disk(env)) <= KEPT
    left = {path.name for path in env.published.iterdir()}
    assert left == {*snapshots_on_disk(env), "current"}
    with open_state(env) as state:
        recorded = {row[0] for row in state.execute("select snapshot_id from snapshots").fetchall()}
    assert set(snapshots_on_disk(env)) <= recorded


def _wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
