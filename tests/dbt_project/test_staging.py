"""Staging reads accepted loads only, each once, and the newest version of a row wins."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tiny_lake import SHOP, TinyLake

from ingestion import compaction
from khach.environment import Environment

ONE = ("-s", "stg_entities__stores")


def store(name: str, updated_at: str) -> dict[str, Any]:
    return {"store_id": "S1", "store_name": name, "updated_at": datetime.fromisoformat(updated_at)}


@pytest.fixture
def lake(env: Environment, staging_project: Path) -> TinyLake:
    return TinyLake(env, staging_project, [SHOP])


def stores(lake: TinyLake) -> list[tuple[Any, ...]]:
    return lake.rows(
        "select store_id, store_name, _load_id from staging.stg_entities__stores "
        "where not coalesce(_is_deleted, false)"
    )


def test_verdicts_that_change_or_come_late_leave_what_one_rebuild_would(lake: TinyLake) -> None:
    lake.land("shop", "stores", "1.5", [store("first", "2026-01-01")], "accepted")
    lake.land("shop", "stores", "2.5", [store("second", "2026-01-02")], "pending")
    lake.land("shop", "stores", "3.5", [store("third", "2026-01-03")], "accepted")
    lake.build(*ONE)
    assert stores(lake) == [("S1", "third", "3.5")]

    # Accepted after a newer load was processed: it changes nothing that is newer.
    lake.judge("shop", "2.5", "accepted")
    lake.build(*ONE)
    assert stores(lake) == [("S1", "third", "3.5")]
    assert lake.rows("select count(*) from staging.processed_loads") == [(3,)]

    # Withdrawn after it was processed: the version it had replaced is back.
    lake.judge("shop", "3.5", "rejected")
    lake.build(*ONE)
    assert stores(lake) == [("S1", "second", "2.5")]

    # A load of nothing but refused rows is processed once and leaves no trace.
    refused = store("refused", "2026-01-09") | {"_is_kept": False}
    lake.land("shop", "stores", "4.5", [refused], "accepted")
    lake.build(*ONE)
    assert stores(lake) == [("S1", "second", "2.5")]
    assert lake.rows("select count(*) from staging.processed_loads") == [(3,)]


def test_equal_times_are_decided_by_load_file_and_row(lake: TinyLake) -> None:
    same = [store(name, "2026-01-01") for name in ("a", "b", "c")]
    lake.land("shop", "stores", "1.5", same, "accepted")
    lake.build(*ONE)
    assert stores(lake) == [("S1", "c", "1.5")]


def test_a_column_that_older_files_lack_is_null(lake: TinyLake) -> None:
    lake.land("shop", "stores", "1.5", [{"store_id": "S1"}], "accepted")
    lake.build(*ONE)
    assert stores(lake) == [("S1", None, "1.5")]


def test_a_deleted_key_stays_gone_until_it_is_created_again(lake: TinyLake) -> None:
    deletion = {"store_id": "S1", "updated_at": datetime.fromisoformat("2026-01-05")}
    lake.land("shop", "stores", "1.5", [store("first", "2026-01-01")], "accepted")
    lake.land("shop", "stores", "2.5", [deletion | {"_is_deleted": True}], "accepted")
    lake.build(*ONE)
    assert stores(lake) == []

    # Late and older: the table remembers that the key is deleted since.
    lake.land("shop", "stores", "3.5", [store("late", "2026-01-03")], "accepted")
    lake.build(*ONE)
    assert stores(lake) == []

    lake.land("shop", "stores", "4.5", [store("again", "2026-01-07")], "accepted")
    lake.build(*ONE)
    assert stores(lake) == [("S1", "again", "4.5")]

    # The same deletion told once more is as old as it was.
    lake.land("shop", "stores", "5.5", [deletion | {"_is_deleted": True}], "accepted")
    lake.build(*ONE)
    assert stores(lake) == [("S1", "again", "4.5")]


def test_a_column_that_a_release_adds_needs_no_rebuild(lake: TinyLake) -> None:
    lake.land("shop", "stores", "1.5", [store("first", "2026-01-01")], "accepted")
    lake.build(*ONE)
    with duckdb.connect(str(lake.env.warehouse)) as warehouse:  # as the older release left it
        for column in ("_is_deleted", "province"):
            warehouse.execute(f"alter table staging.stg_entities__stores drop column {column}")
    older = store("older", "2025-12-01") | {"province": "Hue"}
    other = store("other", "2026-01-02") | {"store_id": "S2", "province": "Hue"}
    lake.land("shop", "stores", "2.5", [older, other], "accepted")
    lake.build(*ONE)
    assert sorted(stores(lake)) == [("S1", "first", "1.5"), ("S2", "other", "2.5")]
    assert lake.rows("select province from staging.stg_entities__stores order by store_id") == [
        (None,), ("Hue",)
    ]  # fmt: skip


def test_a_compacted_lake_stages_the_same_also_when_verdicts_change(
    lake: TinyLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "KEPT_LOADS", 0)
    for number, name in enumerate(("first", "second", "third"), start=1):
        rows = [store(name, f"2026-01-0{number}"), store("x", "2026-01-01") | {"store_id": name}]
        lake.land("shop", "stores", f"{number}.5", rows, "accepted")
    lake.land("shop", "stores", "4.5", [store("pending", "2026-01-04")], "pending")
    lake.build(*ONE)
    before = sorted(stores(lake))
    (done,) = compaction.compact(lake.env, "shop", at_least=2)
    assert (done.table, done.loads, done.rows) == ("stores", 3, 6)
    folder = lake.env.lake / "raw_shop" / "stores"
    assert len(list(folder.glob("*"))) == 4  # a reader that has listed them may still read them

    lake.build(*ONE, "--full-refresh")  # each row once, though it lies in two files
    assert sorted(stores(lake)) == before
    compaction.remove_replaced(lake.env, "shop")
    assert [path.name for path in folder.glob("*")] == ["4.5.0.parquet"]
    lake.build(*ONE)  # nothing new
    lake.build(*ONE, "--full-refresh")
    assert sorted(stores(lake)) == before

    lake.judge("shop", "3.5", "rejected")
    lake.build(*ONE)
    assert sorted(stores(lake)) == [
        ("S1", "second", "2.5"), ("first", "x", "1.5"), ("second", "x", "2.5")
    ]  # fmt: skip
    for load in ("3.5", "4.5"):
        lake.judge("shop", load, "accepted")
    lake.build(*ONE)
    assert sorted(stores(lake)) == [("S1", "pending", "4.5"), *before[1:]]
    assert lake.rows("select count(*) from staging.processed_loads") == [(4,)]


def test_order_lines_alone_are_a_business(env: Environment, modelling_project: Path) -> None:
    lake = TinyLake(env, modelling_project, [SHOP])
    line = {"order_id": "I1", "units": 2, "unit_price": 3, "external_id": "17850", "country": "UK"}
    lines = [
        {"order_line_id": f"I1-{n}", **line, "ordered_at": datetime.fromisoformat("2026-01-01")}
        for n in range(2)
    ]
    lake.land("shop", "order_lines", "1.5", lines, "accepted")
    lake.build()
    assert lake.rows(
        "select order_id, customer_id, country, channel from intermediate.int_orders"
    ) == [("shop:I1", "C0000001", "UK", "web")]
    assert lake.rows("select sum(line_amount) from intermediate.int_order_lines") == [(12,)]
    assert lake.rows("select count(*) from intermediate.int_sessions") == [(0,)]
