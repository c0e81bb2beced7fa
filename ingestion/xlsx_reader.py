"""Excel workbooks as deliveries: one sheet, every value as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from ingestion.delivered import LocalFile
from ingestion.parquet import literal, quote
from ingestion.readers import Reading, load_excel, not_landed
from ingestion.xlsx_sheet import find_sheet
from khach.errors import KhachError

if TYPE_CHECKING:
    from ingestion.file_layout import FileLayout


def read_xlsx_files(
    connection: duckdb.DuckDBPyConnection, files: list[LocalFile], layout: FileLayout
) -> Reading:
    """A sheet of each workbook; dates and times are turned back from Excel's numbers.

    Rows without a value are no rows.
    """
    load_excel(connection)
    selects: dict[str, str] = {}
    file_columns: dict[str, list[str]] = {}
    offered: dict[str, int] = {}
    for file in files:
        table = find_sheet(file.path, file.name, layout.sheet, layout.header_row)
        # Without cells to read DuckDB may take a title for the header.
        sheet = (
            f"read_xlsx({literal(file.path)}, header=true, stop_at_empty=false, "
            f"sheet={literal(table.name)}, range={literal(table.cells)}"
        )
        try:
            described = connection.execute(f"describe from {sheet})").fetchall()
        except duckdb.Error:
            raise KhachError(f"{file.name} is not a readable xlsx workbook") from None
        types = {str(row[0]): str(row[1]) for row in described}
        fields = ", ".join(_excel_value(name, type_) for name, type_ in types.items())
        selects[file.name] = (
            f"select {fields}, {literal(file.name)} as _file, _number as _row, "
            "cast(null as varchar) as _malformed, cast(to_json(r) as varchar) as _original "
            f"from (select {', '.join(map(_filled, types))}, row_number() over () as _number from "
            f"{sheet}, all_varchar=true)) as r where coalesce({', '.join(map(quote, types))}) "
            "is not null"
        )
        file_columns[file.name] = list(types)
        offered[file.name] = table.rows
    columns = {name: "VARCHAR" for names in file_columns.values() for name in names}

    def relation(names: Sequence[str], landed: Path | None) -> str:
        rows = f"({' union all by name '.join(selects[name] for name in names)})"
        return not_landed(rows, landed)

    return Reading(columns, offered, relation, file_columns)


def _filled(name: str) -> str:
    """As in CSV, an empty text is none."""
    return f"nullif({quote(name)}, '') as {quote(name)}"


def _excel_value(name: str, type_: str) -> str:
    column = quote(name)
    if type_ == "DOUBLE":  # a workbook holds 59.97 as 59.969999999999999, all of a double's digits
        shortest = f"cast(try_cast({column} as double) as varchar)"
        is_long = f"regexp_matches({column}, '^-?[0-9]+[.][0-9]{{12,}}$')"
        return f"case when {is_long} then {shortest} else {column} end as {column}"
    if type_ not in ("DATE", "TIMESTAMP", "TIME"):
        return column
    serial = f"try_cast({column} as double)"
    moment = f"make_timestamp(cast(round(({serial} - 25569) * 86400) * 1000000 as bigint))"
    text = f"strftime({moment}, '%Y-%m-%d %H:%M:%S')"
    if type_ == "DATE":  # by the first row; a later one may have a time of day
        day = f"strftime({moment}, '%Y-%m-%d')"
        text = f"case when {serial} = floor({serial}) then {day} else {text} end"
    return f"case when {serial} is null then {column} else {text} end as {column}"
