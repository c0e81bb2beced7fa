"""What dbt's manifest says about the public tables: names, descriptions, keys, personal columns."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from khach.environment import Environment
from khach.errors import KhachError

PUBLIC_SCHEMA = "main"
_PERSONAL = {"personal", "pii"}


@dataclass(frozen=True)
class PublicTable:
    """A mart: described columns by name, which of them are personal data, which are its key.

    `required` are the columns that are never null.
    """

    name: str
    description: str
    columns: Mapping[str, str]
    personal: frozenset[str]
    is_filled: bool
    key: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()

    @property
    def comment(self) -> str:
        """The description, and the key where there is one."""
        key = f"Key: {', '.join(self.key)}." if self.key else ""
        return " ".join(filter(None, [self.description, key]))


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
    keys = _keys(nodes)
    tables = [_table(node, keys.get(id_)) for id_, node in nodes.items() if _is_public(node)]
    return sorted(tables, key=lambda table: table.name)


def _is_public(node: Mapping[str, Any]) -> bool:
    return (
        node["resource_type"] == "model"
        and node["schema"] == PUBLIC_SCHEMA
        and node["config"]["materialized"] != "ephemeral"
    )


def _keys(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """By model, the shortest expression that a test holds to be unique: no second list of keys.

    It reads `column`, or the columns put together, or is dbt_project's own test `primary_key`. A
    table too large for such a test in every run says `meta: {primary_key: [...]}` instead.
    """
    found: dict[str, str] = {}
    for node in nodes.values():
        test = node.get("test_metadata") or {}
        model, said = node.get("attached_node"), test.get("kwargs") or {}
        if model is None or test.get("name") not in ("unique", "primary_key"):
            continue
        unique = str(said.get("column_name") or " ".join(said.get("columns") or []))
        found[model] = min(found.get(model, unique), unique, key=lambda text: (len(text), text))
    return found


def _table(node: Mapping[str, Any], unique: str | None) -> PublicTable:
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
        key=_key(" ".join(_meta(node).get("primary_key", [])) or unique or "", columns),
        required=frozenset(
            name
            for name, column in columns.items()
            if any(rule.get("type") == "not_null" for rule in column.get("constraints") or [])
        ),
    )


def _key(unique: str, columns: Mapping[str, Any]) -> tuple[str, ...]:
    """The model's columns in an expression, each once; what stands in quotes is no column."""
    words = re.findall(r"[a-z_][a-z0-9_]*", re.sub(r"'[^']*'", "", unique))
    return tuple(dict.fromkeys(word for word in words if word in columns))


def _is_personal(column: Mapping[str, Any]) -> bool:
    config = column.get("config") or {}
    tags = {*(column.get("tags") or []), *(config.get("tags") or [])}
    meta = _meta(column)
    return bool(tags & _PERSONAL) or any(meta.get(word) for word in _PERSONAL)


def _meta(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**(thing.get("meta") or {}), **((thing.get("config") or {}).get("meta") or {})}
