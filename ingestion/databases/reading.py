"""A database's rows as a `Reading`: each value of its declared type, or a reason to refuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingestion.databases.dialect import ROW_NUMBER, Column, Scan
from ingestion.parquet import literal, quote
from ingestion.readers import Reading


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
