"""What dbt's manifest says about the public tables: names, descriptions, personal columns."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from khach.environment import Environment
from khach.errors import KhachError

PUBLIC_SCHEMA = "main"
_PERSONAL = {"personal", "pii"}


@dataclass(frozen=True)
class PublicTable:
    """A mart: described columns by name, and which of them are personal data."""

    name: str
    description: str
    columns: Mapping[str, str]
    personal: frozenset[str]
    is_filled: bool


def public_tables(env: Environment) -> list[PublicTable]:
    """The marts of schema `main`, sorted by name.

    Raises KhachError without a manifest: which columns are personal is then unknown.
    """
    path = env.dbt_target / "manifest.json"
    try:
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    except FileNotFoundError:
        raise KhachError(
            "dbt's manifest is absent, so nobody knows which columns are personal",
            file=path,
            fix="khach run builds it",
        ) from None
    tables = [_table(node) for node in nodes.values() if _is_public(node)]
    return sorted(tables, key=lambda table: table.name)


def _is_public(node: Mapping[str, Any]) -> bool:
    return (
        node["resource_type"] == "model"
        and node["schema"] == PUBLIC_SCHEMA
        and node["config"]["materialized"] != "ephemeral"
    )


def _table(node: Mapping[str, Any]) -> PublicTable:
    columns: Mapping[str, Mapping[str, Any]] = node["columns"]
    return PublicTable(
        name=str(node.get("alias") or node["name"]),
        description=" ".join(str(node.get("description", "")).split()),
        columns={
            name: " ".join(str(column.get("description", "")).split())
            for name, column in columns.items()
        },
        personal=frozenset(name for name, column in columns.items() if _is_personal(column)),
        is_filled=not _meta(node).get("not_yet_filled", False),
    )


def _is_personal(column: Mapping[str, Any]) -> bool:
    config = column.get("config") or {}
    tags = {*(column.get("tags") or []), *(config.get("tags") or [])}
    meta = _meta(column)
    return bool(tags & _PERSONAL) or any(meta.get(word) for word in _PERSONAL)


def _meta(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**(thing.get("meta") or {}), **((thing.get("config") or {}).get("meta") or {})}
