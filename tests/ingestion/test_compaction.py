"""Compaction: fewer files, the same rows under the same loads, at every moment."""

import itertools
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from landed_data import PAYMENTS, rows_of

from ingestion import compaction, lake, verdicts
from ingestion.manifest import read_manifest
from ingestion.run import compact_all, ingest, read_seen
from khach.environment import Environment
from khach.errors import KhachError

HEADER = "id,order_id,amount,paid_at\n"
EVERYTHING = "_load_id, payment_id, amount, paid_at, _is_kept, _file, _row"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, list[str]]:
    """Six loads: one rejected, one that no model has processed, one without a verdict."""
    home, folder = tmp_path_factory.mktemp("history"), tmp_path_factory.mktemp("delivered")
    env = Environment("dev", home, home, home)
    (home / "sources.yml").write_text(PAYMENTS.replace("FOLDER", str(folder)))
    found = []
    for number in range(6):
        rows = "".join(f"{number}-{row},o,{row},2026-01-01 10:00:00\n" for row in range(number))
        (folder / f"payments-{number}.csv").write_text(HEADER + rows)
        load = ingest(env, "shop")
        assert load
        found.append(load.load_id)
        if number < 5:
            judge = verdicts.reject if number == 1 else verdicts.accept
            judge(env, "shop", load.load_id, by="test", reason="")
    process(env, *(found[n] for n in (0, 2, 3)))
    return env, found


@pytest.fixture
def loads(
    env: Environment, history: tuple[Environment, list[str]], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The loads of `history`, in an installation of its own."""
    shutil.copytree(history[0].home, env.home, dirs_exist_ok=True)
    env.config.mkdir(exist_ok=True)
    shutil.copy(history[0].config / "sources.yml", env.config)
    monkeypatch.setattr(compaction, "KEPT_LOADS", 0)
    return history[1]


def process(env: Environment, *loads: str) -> None:
    """What dbt's models write down of the loads they hold."""
    with duckdb.connect(str(env.warehouse)) as warehouse:
        warehouse.execute("create schema if not exists staging")
        warehouse.execute(
            "create table if not exists staging.processed_loads "
            "(model varchar, source varchar, namespace varchar, load_id varchar, raw_table varchar)"
        )
        for load in loads:
            warehouse.execute(
                "insert into staging.processed_loads "
                "values ('stg_entities__payments', 'shop', 'shop', ?, 'payments')",
                [load],
            )


def test_processed_loads_lie_in_one_file_and_are_read_as_before(
    env: Environment, loads: list[str]
) -> None:
    before, seen = rows_of(env, "shop", "payments", EVERYTHING), read_seen(env, "shop")
    done = {one.table: one for one in compact_all(env)}
    assert (done["payments"].loads, done["payments"].rows) == (3, 5)
    assert done["_deliveries"].loads == 5  # whatever their verdict: the next ingest reads them all
    raw = lake.raw_folder(env, "shop")
    assert [(e.load_id, e.rows) for e in read_manifest(raw, "payments")] == [
        (loads[0], 0), (loads[2], 2), (loads[3], 3)
    ]  # fmt: skip
    for is_removed in (False, True):
        assert rows_of(env, "shop", "payments", EVERYTHING) == before
        assert read_seen(env, "shop") == seen
        assert len(list((raw / "payments").glob("*"))) == (3 if is_removed else 6)
        assert ingest(env, "shop") is None
    assert compact_all(env) == []

    # What is processed since, and then the compacted files again.
    process(env, loads[4], loads[5])
    verdicts.accept(env, "shop", loads[5], by="test", reason="")
    tables = {one.table: one.loads for one in compact_all(env)}
    assert tables["payments"] == 2
    assert {one.table: one.loads for one in compact_all(env)}["payments"] == 5
    assert ingest(env, "shop") is None
    assert len(list((raw / "_compacted" / "payments").glob("*"))) == 1
    assert rows_of(env, "shop", "payments", EVERYTHING) == before
    assert read_seen(env, "shop") == seen


def test_the_newest_loads_stay_as_they_landed(
    env: Environment, loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "KEPT_LOADS", 3)
    compact_all(env)
    raw = lake.raw_folder(env, "shop")
    assert {entry.load_id for entry in read_manifest(raw, "payments")} <= set(loads[:3])


def test_a_load_that_one_model_lacks_stays(env: Environment, loads: list[str]) -> None:
    with duckdb.connect(str(env.warehouse)) as warehouse:
        warehouse.execute(
            "insert into staging.processed_loads values "
            "('stg_vendor__money', 'shop', 'shop', $1, 'vendor.payments'), "
            "('stg_entities__orders', 'shop', 'shop', $1, 'orders')",
            [loads[2]],
        )
    assert compaction.processed_loads(env, "shop", ["payments", "orders", "other"]) == {
        "payments": {loads[2]}, "orders": {loads[2]}
    }  # fmt: skip


def test_a_file_that_does_not_read_back_replaces_nothing(
    env: Environment, loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(env, "shop", "payments", EVERYTHING)
    real = compaction._digests

    def digests(connection: Any, relation: str, columns_of: str) -> Any:
        found = real(connection, relation, columns_of)
        return {**found, loads[2]: (2, "1")} if relation != columns_of else found

    monkeypatch.setattr(compaction, "_digests", digests)
    with pytest.raises(KhachError, match="does not read back"):
        compact_all(env)
    assert not list(lake.raw_folder(env, "shop").glob("_compacted/*/*"))
    assert rows_of(env, "shop", "payments", EVERYTHING) == before


class Killed(BaseException):
    """Stands for a kill: nothing handles it."""


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.nightly)])
def test_killed_at_any_change_of_a_file_readers_see_every_row_once(
    env: Environment, loads: list[str], monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    before, seen = rows_of(env, "shop", "payments", EVERYTHING), read_seen(env, "shop")
    raw, fresh = lake.raw_folder(env, "shop"), env.home.with_name("fresh")
    shutil.copytree(env.home, fresh)
    for step in itertools.count(random.randrange(stride), stride):
        shutil.rmtree(env.home)
        shutil.copytree(fresh, env.home)
        with monkeypatch.context() as patch:
            kill = killed_after(step)
            for name in ("mkdir", "write_text", "replace", "unlink"):
                patch.setattr(Path, name, kill(getattr(Path, name)))
            is_killed = False
            try:
                compact_all(env)
                ingest(env, "shop")  # deletes what was replaced
            except Killed:
                is_killed = True
        for _ in range(2):
            assert rows_of(env, "shop", "payments", EVERYTHING) == before
            assert read_seen(env, "shop") == seen
            compact_all(env)  # the next run
            assert ingest(env, "shop") is None
        assert len(list((raw / "payments").glob("*"))) == 3
        assert len(list((raw / "_compacted" / "payments").glob("*"))) == 1
        if not is_killed:
            break
    assert step > 10


def killed_after(steps: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Functions that together change the lake so many times; then the process ends."""
    calls = itertools.count(1)

    def killing(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if "/raw_shop/" in str(arguments[0]) and next(calls) > steps:
                raise Killed
            return real(*arguments, **named)

        return step

    return killing
