"""How the items of a vendor's pages become rows of a raw table, or a reason to refuse one.

An item is JSON text until here, so that what a connector does not read of it lands too: the fields
that no column reads stand in `_extra` (adr/0009), and a refused row keeps the item itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ingestion.casts import misfit, typed
from ingestion.parquet import literal, quote
from ingestion.spec import TableSpec

# Links to the vendor's other pages, in every item and never of use.
IGNORED = ("_links",)


@dataclass(frozen=True)
class Shape:
    """How a page of JSON becomes rows of a raw table.

    `item`: what `json_transform` reads of one element of the array `name`, or of the page itself
    where `name` is empty, all leaves VARCHAR or JSON.
    `columns`: column of the table to its expression over `item` (and over `part`, an element of
    `item.<parts>`, when one item holds several rows; and over `_file`, the page's label).
    `counted`: a key that each row has once and whose occurrences are the rows offered; None where
    the vendor announces the rows, or the elements of the array are counted.
    """

    name: str
    item: Mapping[str, Any]
    columns: Mapping[str, str]
    parts: str | None = None
    counted: str | None = None

    @property
    def part(self) -> Mapping[str, Any]:
        """What is read of an element of `parts`."""
        return self.item[self.parts][0] if self.parts else {}

    @property
    def fields(self) -> list[str]:
        """The top-level fields that the columns read, of the item and of its part."""
        return [*(name for name in self.item if name != self.parts), *self.part]

    def objects(self, page: Any) -> list[dict[str, Any]]:
        """The rows of a parsed page as objects of their top-level fields."""
        items = page if not self.name else page.get(self.name) if isinstance(page, dict) else None
        found = [item for item in items if isinstance(item, dict)] if items else []
        if self.parts is None:
            return [_without_ignored(item) for item in found]
        return [
            _without_ignored({name: item[name] for name in self.item if name in item} | part)
            for item in found
            for part in item.get(self.parts) or ()
            if isinstance(part, dict)
        ]


def rows_query(table: TableSpec, shape: Shape, items: str, *, is_numbered: bool = False) -> str:
    """SQL of a table's columns as text, `_problem` (null = good) and `_original`.

    `items` is SQL of `_file`, `_row` and `raw`, the JSON of an item. Where items have parts, these
    are numbered through each file, unless `is_numbered`: then each item has one part.
    """
    own = {name: type_ for name, type_ in shape.item.items() if name != shape.parts}
    read = (
        f"select *, json_transform(raw, {literal(json.dumps(own))}) as item, "
        f"{_nested_problem(shape)} as _nested from ({items})"
    )
    row, known, original = "raw", own, "raw"
    if shape.parts:
        path = literal(f'$."{shape.parts}"[*]')
        # Numbering the parts of all items takes a window; an item alone has its number.
        number = "_item" if is_numbered else (
            "row_number() over (partition by _file order by _item, _part)"
        )  # fmt: skip
        read = (
            f"select *, {number} as _row, json_transform(part_raw, "
            f"{literal(json.dumps(shape.part))}) as part from (select * exclude (_row, found), "
            "_row as _item, generate_subscripts(found, 1) as _part, unnest(found) as part_raw "
            f"from (select *, json_extract(raw, {path}) as found from ({read})))"
        )
        row, known = "part_raw", dict(shape.part)
        original = f"json_merge_patch(raw, json_object('{shape.parts}', json_array(part_raw)))"
    texts = ", ".join(
        f"{_text(sql, table.columns[name])} as {quote(name)}" for name, sql in shape.columns.items()
    )
    return (
        f"select *, {_problem(table)} as _problem from (select _file, _row, {texts}, "
        f"{extra(row, known)} as _extra, _nested, "
        f"cast({original} as varchar) as _original from ({read}))"
    )


def good_rows(table: TableSpec, rows: str) -> str:
    """SQL of the typed rows of a `rows_query` that have no problem."""
    good = ", ".join(
        f"{typed(quote(name), type_)} as {quote(name)}"
        for name, type_ in table.duckdb_columns().items()
    )
    return f"select {good} from ({rows}) where _problem is null"


def _without_ignored(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in IGNORED}


def _text(sql: str, letter: str) -> str:
    return f"nullif(cast({sql} as varchar), 'null')" if letter == "j" else sql


def extra(row: str, known: Iterable[str]) -> str:
    """SQL: the fields of a row that no column reads, as JSON; NULL when there is none."""
    none = literal(json.dumps(dict.fromkeys([*known, *IGNORED])))
    rest = f"nullif(cast(json_merge_patch({row}, {none}) as varchar), '{{}}')"
    return f"case when json_type({row}) = 'OBJECT' then {rest} end"


def _nested_problem(shape: Shape) -> str:
    """SQL: what is no object (or list), though something inside it is read; NULL = nothing."""
    checks = []
    for name, inside in shape.item.items():
        if isinstance(inside, str):
            continue
        type_ = "ARRAY" if isinstance(inside, list) else "OBJECT"
        path = literal(f'$."{name}"')
        found = f"json_type(raw, {path})"
        checks.append(
            f"when {found} not in ('{type_}', 'NULL') then '{name} is not of type {type_.lower()}'"
        )
    return f"case {' '.join(checks)} end" if checks else "cast(null as varchar)"


def _problem(table: TableSpec) -> str:
    """SQL: why a row cannot land, or NULL; its values are still text here."""
    key, *_ = table.columns
    checks = [f"when coalesce({quote(key)}, '') = '' then '{key} is missing'"]
    for name, type_ in table.duckdb_columns().items():
        if type_ != "VARCHAR" and name != "_row":
            bad = misfit(quote(name), type_)
            checks.append(f"when {bad} then '{name} is not of type {type_.lower()}'")
    return f"case when _nested is not null then _nested {' '.join(checks)} end"
