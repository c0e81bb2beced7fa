"""A database's rows as a `Reading`: each value of its declared type, or a reason to refuse."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion.databases.dialect import ROW_NUMBER, Column, Scan
from ingestion.parquet import duckdb_session, literal, quote
from ingestion.readers import Reading

if TYPE_CHECKING:
    from ingestion.spec import Backfill, TableSpec


def reading(scan: Scan, file: str) -> Reading:
    """The rows of a scan; `file` is the name under which they are delivered.

    A second look at the rows, for those that were refused, takes all of them: only the reasons
    count then, so that it does not matter in which order the server hands them out.
    """
    names = [quote(column.name) for column in scan.columns]
    fields = "".join(f"{_value(column)} as {quote(column.name)}, " for column in scan.columns)
    failed = "".join(_failure(column) for column in scan.columns)
    malformed = f"coalesce({scan.refused}, case {failed} end)" if failed else scan.refused
    texts = ", ".join(f"{name} := cast(r.{name} as varchar)" for name in names)

    def relation(_names: Sequence[str], landed: Path | None) -> str:
        number = scan.row if landed is None else ROW_NUMBER
        return (
            f"(select {fields}{literal(file)} as _file, {number} as _row, {malformed} as "
            f"_malformed, cast(to_json(struct_pack({texts})) as varchar) as _original "
            f"from {scan.relation} as r)"
        )

    types = {column.name: column.type_ for column in scan.columns}
    return Reading(types, {file: scan.offered}, relation)


def reading_name(table: str, marks: Mapping[str, Any], part: Backfill | None) -> str:
    """What stands for a delivered file: the reading of a table that starts from some marks.

    >>> reading_name("receipts", {"max": "2026-01-01 07:00:00", "digest": "2:917"}, None)
    'receipts@2026-01-01T07-00-00-97264df2'
    """
    if part is not None:
        return f"{table}@{part.first}-to-{part.last}"
    if marks.get("max") is None:  # all rows are read, as they were before
        return table
    start = str(marks["max"])
    known = sha256(f"{start} {marks.get('digest')}".encode()).hexdigest()[:8]
    if not re.fullmatch(r"[0-9][0-9T .:+-]*", start):  # only times and numbers say themselves
        return f"{table}@{known}"
    words = re.sub(r"[ :]", lambda sign: "T" if sign[0] == " " else "-", start)
    return f"{table}@{words}-{known}"


def told(path: Path, table: TableSpec, keys: Collection[str]) -> set[str]:
    """Those of some keys that rows of a Parquet file have."""
    key = quote(next(iter(table.columns)))
    with duckdb_session(path.parent) as connection:
        found = connection.execute(
            f"select distinct {key} from read_parquet({literal(path)}) "
            f"where list_contains(?::varchar[], {key})",
            [list(keys)],
        ).fetchall()
    return {str(row[0]) for row in found}


def _value(column: Column) -> str:
    name = quote(column.name)
    if column.arrives == column.type_:
        return name
    cast = "try_cast" if column.arrives == "VARCHAR" else "cast"
    return f"{cast}({name} as {column.type_})"


def _failure(column: Column) -> str:
    """A case that says why a text is no value of the declared type."""
    if column.type_ == "VARCHAR" or column.arrives != "VARCHAR":
        return ""
    name, value = quote(column.name), _value(column)
    reason = literal(f"{column.name}: a value that {column.type_} cannot hold")
    return f"when {name} is not null and {value} is null then {reason} "
