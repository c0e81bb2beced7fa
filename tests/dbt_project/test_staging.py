"""Staging reads accepted loads only, each once, and the newest version of a row wins."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tiny_lake import SHOP, TinyLake

from khach.environment import Environment

ONE = ("-s", "stg_entities__stores")


def store(name: str, updated_at: str) -> dict[str, Any]:
    return {"store_id": "S1", "store_name": name, "updated_at": datetime.fromisoformat(updated_at)}


@pytest.fixture
def lake(env: Environment, staging_project: Path) -> TinyLake:
    return TinyLake(env, staging_project, [SHOP])


def stores(lake: TinyLake) -> list[tuple[Any, ...]]:
    return lake.rows("select store_id, store_name, _load_id from staging.stg_entities__stores")


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
