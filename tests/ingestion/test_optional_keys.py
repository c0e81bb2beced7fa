"""JSON lines may leave keys out: that is no value, unless our models need one."""

import json
from pathlib import Path

import pytest
from landed_data import Configure, rows_of

from expectations.landing import entities
from ingestion.config import find_source
from ingestion.contract import read_contract
from ingestion.entities import NEEDED
from ingestion.lake import committed_loads, deliveries
from ingestion.run import check_source, ingest
from khach.environment import Environment
from khach.errors import ConfigError

SHOP = """sources:
  shop:
    kind: files
    area: web
    folder: FOLDER
    tables:
      orders:
        from: "orders*.ndjson"
        columns: {order_id: id, ordered_at: at, email: email, coupon_code: "upper(coupon)"}
        deleted_when: gone is not null
"""


def deliver(folder: Path, number: int, *rows: dict[str, object]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"orders-{number}.ndjson").write_text(text)


def test_a_key_that_no_line_has_lands_as_nulls(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    deliver(folder, 1, {"id": "a", "at": "2026-01-01"})
    (item,) = check_source(env, find_source(env, "shop"))
    assert item.found == "1 files, newest 1 rows, none with coupon, email, gone"
    assert item.problem is None
    assert ingest(env, "shop") is not None
    deliver(folder, 2, {"id": "b", "at": "2026-01-01", "email": "x@y.example", "coupon": "t"})
    assert ingest(env, "shop") is not None
    deliver(folder, 3, {"id": "c", "at": "2026-01-01"})
    assert ingest(env, "shop") is not None
    columns = "order_id, email, coupon_code, _is_deleted"
    assert rows_of(env, "shop", "orders", columns) == [
        ("a", None, None, False), ("b", "x@y.example", "T", False), ("c", None, None, False),
    ]  # fmt: skip
    load = committed_loads(env, "shop")[0].load_id
    (first,) = [one for _, one in deliveries(env, "shop", [load]) if one.columns]
    assert read_contract(first.columns or "").types == {"id": "TEXT", "at": "TEXT"}


def test_what_the_models_need_must_not_vanish(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    deliver(folder, 1, {"id": "a", "at": "2026-01-01", "email": "x@y.example"})
    assert ingest(env, "shop") is not None
    deliver(folder, 2, {"id": "b", "email": "x@y.example"})
    with pytest.raises(ConfigError, match="has no column 'at'") as caught:
        ingest(env, "shop")
    assert (caught.value.line, caught.value.key) == (
        9,
        "sources.shop.tables.orders.columns.ordered_at",
    )


@pytest.mark.parametrize(
    ("mapping", "row"),
    [
        ("", {"emial": "x@y.example"}),  # a misspelt key, here or there
        ("        filter: shown = 'true'\n", {"email": "x@y.example"}),  # would refuse every row
    ],
)
def test_a_key_that_was_never_there_is_not_guessed_away(
    env: Environment, configure: Configure, folder: Path, mapping: str, row: dict[str, object]
) -> None:
    configure(SHOP + mapping)
    deliver(folder, 1, {"id": "a", "at": "2026-01-01"} | row)
    with pytest.raises(ConfigError, match=r"has no column '(email|shown)'"):
        ingest(env, "shop")
    key = "shown" if mapping else "email"
    deliver(folder, 1, {"id": "a", "at": "2026-01-01", key: True} | row)
    assert ingest(env, "shop") is not None
    deliver(folder, 2, {"id": "b", "at": "2026-01-01"} | row)
    assert ingest(env, "shop") is not None


def test_what_gate_1_requires_is_needed() -> None:
    for suite in entities.SUITES:
        required = {
            rule.name.removesuffix("_missing")
            for rule in suite.rules
            if rule.name.endswith("_missing") and rule.severity == "error"
        }
        assert required <= {suite.key, *NEEDED.get(suite.table, ())}
