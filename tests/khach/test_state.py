"""The state file: migrations in order, newer files refused, a held file is busy."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from khach import state as state_module
from khach.environment import Environment
from khach.errors import BusyError, KhachError
from khach.state import connect, migrate, open_state

HOLDER = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_every_version_is_upgraded_to_the_same_tables(env: Environment) -> None:
    numbers = sorted(state_module._migrations())
    assert numbers == list(range(1, len(numbers) + 1))
    with duckdb.connect() as newest:
        migrate(newest)
        expected = _columns(newest)
    for released in numbers:
        with duckdb.connect() as old:
            _build_version(old, released)
            assert migrate(old) == numbers[-1]
            assert _columns(old) == expected
            assert migrate(old) == numbers[-1]


def test_the_customers_of_an_older_ledger_become_numbers() -> None:
    with duckdb.connect() as old:
        _build_version(old, 7)
        old.execute(
            "create table identity_ledger (event varchar, customer_id varchar, "
            "other_customer_id varchar); insert into identity_ledger values "
            "('issued', 'C0000012', null), ('merged', 'C0000012', 'C12345678'), "
            "('unlinked', null, 'C0000001'), ('blocked', null, null)"
        )
        migrate(old)
        assert old.execute(
            "select event, customer_number, other_customer_number from identity_ledger"
        ).fetchall() == [
            ("issued", 12, None), ("merged", 12, 12_345_678), ("unlinked", None, 1),
            ("blocked", None, None),
        ]  # fmt: skip


def test_a_newer_file_is_refused_and_left_alone(env: Environment) -> None:
    with open_state(env) as state:
        state.execute("insert into schema_versions values (9999, now()::timestamp)")
    with pytest.raises(KhachError, match="newer than this release"), open_state(env):
        pass


def test_a_failing_migration_leaves_no_trace(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "0001_good.sql").write_text("create table good (i integer);")
    (tmp_path / "0002_bad.sql").write_text("create table half (i integer); select * from nowhere;")
    monkeypatch.setattr(state_module, "MIGRATIONS", tmp_path)
    file = tmp_path / "state.duckdb"
    with duckdb.connect(str(file)) as connection, pytest.raises(duckdb.CatalogException):
        migrate(connection)
    with duckdb.connect(str(file)) as connection:
        assert [row[0] for row in connection.execute("show tables").fetchall()] == [
            "good", "schema_versions",
        ]  # fmt: skip


def test_two_migrations_of_one_number_are_refused(tmp_path: Path, monkeypatch) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("select 1")
    monkeypatch.setattr(state_module, "MIGRATIONS", tmp_path)
    with pytest.raises(KhachError, match="numbered 1"):
        state_module._migrations()


def test_a_file_held_by_another_process_is_busy_and_names_it(env: Environment) -> None:
    with open_state(env):
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(env.state)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {holder.pid}"):
            connect(env.state, wait_seconds=0.2)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    connect(env.state, wait_seconds=0.2).close()


def _build_version(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    connection.execute(
        "create table schema_versions (version integer primary key, applied_at timestamp not null)"
    )
    for number, path in state_module._migrations().items():
        if number <= version:
            connection.execute(path.read_text(encoding="utf-8"))
            connection.execute("insert into schema_versions values (?, now()::timestamp)", [number])


def _columns(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    return connection.execute(
        "select table_name, column_name, data_type, is_nullable from duckdb_columns() "
        "where not internal order by all"
    ).fetchall()
