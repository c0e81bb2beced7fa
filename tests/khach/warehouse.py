"""A small warehouse with dbt's manifest, as a run leaves them, for tests of what reads them."""

import json
from pathlib import Path

import duckdb

from khach.environment import Environment

# column -> whether it is personal
CUSTOMERS = {"customer_id": False, "full_name": True, "email": True, "lifecycle_stage": False}
ORDERS = ["order_id", "customer_id", "gross_amount", "version"]


def build_warehouse(env: Environment, version: int = 1, rows: int = 100) -> None:
    """Marts whose every row carries `version`, so that a mixture of two publishes shows."""
    env.home.mkdir(parents=True, exist_ok=True)
    env.warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(env.warehouse)) as connection:
        connection.execute(
            "create table customers as select 'c' || i as customer_id, 'Nguyễn Lan' as full_name, "
            "'lan' || i || '@example.vn' as email, "
            "case when i % 2 = 0 then 'loyal' else 'lead' end as lifecycle_stage, "
            "? as undescribed from range(?) as t(i)",
            [version, rows],
        )
        connection.execute(
            "create table orders as select 'o' || i as order_id, 'c' || i as customer_id, "
            "1.5::decimal(18, 4) as gross_amount, ? as version from range(?) as t(i)",
            [version, rows],
        )
        connection.execute("create schema intermediate")
        connection.execute("create table intermediate.int_orders as select 1 as order_id")
    write_manifest(env)


def write_manifest(env: Environment, keys: dict[str, str] | None = None) -> None:
    """The manifest of `build_warehouse`; one column of customers is in no YAML."""
    columns = {"customers": list(CUSTOMERS), "orders": ORDERS}
    personal = {name for name, is_personal in CUSTOMERS.items() if is_personal}
    manifest_of(env, columns, personal, keys)


def manifest_of(
    env: Environment,
    columns: dict[str, list[str]],
    personal: set[str],
    keys: dict[str, str] | None = None,
) -> None:
    """What dbt writes about models: the marts, and an intermediate model that nobody publishes."""
    models = [(name, "main", listed) for name, listed in columns.items()]
    nodes = {
        f"model.khach.{name}": {
            "resource_type": "model",
            "name": name,
            "schema": schema,
            "description": f"One row per {name}; it's described",
            "columns": {
                column: {
                    "name": column,
                    "description": f"what {column} means",
                    "config": {"tags": ["personal"] if column in personal else []},
                    "constraints": [{"type": "not_null"}] if name in (keys or {}) else [],
                }
                for column in listed
            },
            "config": {"materialized": "table"},
        }
        for name, schema, listed in [*models, ("int_orders", "intermediate", [])]
    }
    for name, unique in (keys or {}).items():
        nodes[f"test.khach.unique_{name}"] = {
            "resource_type": "test",
            "attached_node": f"model.khach.{name}",
            "test_metadata": {"name": "unique", "kwargs": {"column_name": unique}},
        }
    path = env.dbt_target / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"nodes": nodes}), encoding="utf-8")


def read(path: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()
