"""The materialization of tables: rebuilt within one transaction, from whatever stood there."""

import shutil
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from khach.environment import PROJECT, Environment
from khach.state import open_state

PROJECT_YML = """\
name: khach
version: "1.0.0"
profile: khach
models: {khach: {+materialized: table}}
"""
PYTHON = """\
import pyarrow as pa

def model(dbt, session):
    dbt.config(materialized="table")
    return pa.table({"n": [%s]})
"""


@pytest.fixture
def project(env: Environment, tmp_path: Path) -> Path:
    """A project of two models with our profile and our materialization."""
    folder = tmp_path / "project"
    (folder / "macros").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "dbt_project.yml").write_text(PROJECT_YML)
    shutil.copy(PROJECT / "dbt_project" / "profiles.yml", folder)
    shutil.copy(PROJECT / "dbt_project" / "macros" / "table.sql", folder / "macros")
    with open_state(env):
        pass
    return folder


def _build(env: Environment, project: Path, sql: str, number: str = "1") -> set[str]:
    """Names of the models that failed."""
    (project / "models" / "plain.sql").write_text(sql)
    (project / "models" / "code.py").write_text(PYTHON % number)
    folders = ("--project-dir", str(project), "--profiles-dir", str(project))
    target = ("--target-path", str(env.dbt_target), "--log-path", str(env.logs))
    try:
        done = dbtRunner().invoke(["--quiet", "run", *folders, *target])
    finally:
        DuckDBConnectionManager.close_all_connections()
    return {r.node.name for r in done.result if str(r.status) != "success"}


def _tables(env: Environment) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(env.warehouse)) as connection:
        names = connection.execute("select table_name from information_schema.tables").fetchall()
        return {name: connection.execute(f'from "{name}"').fetchall() for (name,) in names}


def test_a_table_is_replaced_and_nothing_is_left_beside_it(env: Environment, project: Path) -> None:
    assert not _build(env, project, "select 1 as n")
    assert not _build(env, project, "select 'two' as word", "2")
    assert _tables(env) == {"plain": [("two",)], "code": [(2,)]}


def test_a_failed_build_leaves_the_old_table(env: Environment, project: Path) -> None:
    assert not _build(env, project, "select 1 as n")
    failed = _build(
        env, project, "select cast(w as integer) as n from (values ('a')) as t (w)", "z"
    )
    assert failed == {"plain", "code"}
    assert _tables(env) == {"plain": [(1,)], "code": [(1,)]}


def test_a_view_or_what_a_killed_build_left_is_no_hindrance(
    env: Environment, project: Path
) -> None:
    with duckdb.connect(str(env.warehouse)) as connection:
        connection.execute("create view plain as select 0 as n")
        connection.execute("create view code as select 0 as n")
        connection.execute("create table code__dbt_tmp as select 0 as n")
    assert not _build(env, project, "select 1 as n")
    assert _tables(env) == {"plain": [(1,)], "code": [(1,)]}
