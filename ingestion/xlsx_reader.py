"""Excel workbooks as deliveries: the first sheet, every value as text."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

import duckdb

from ingestion.delivered import LocalFile
from ingestion.parquet import literal, quote
from ingestion.readers import Reading, load_excel, not_landed
from khach.errors import KhachError


def read_xlsx_files(connection: duckdb.DuckDBPyConnection, files: list[LocalFile]) -> Reading:
    """The first sheet of each workbook; dates and times are turned back from Excel's numbers."""
    load_excel(connection)
    selects: dict[str, str] = {}
    file_columns: dict[str, list[str]] = {}
    offered: dict[str, int] = {}
    for file in files:
        sheet = f"read_xlsx({literal(file.path)}, header=true, stop_at_empty=false"
        try:
            described = connection.execute(f"describe from {sheet})").fetchall()
        except duckdb.Error:
            raise KhachError(f"{file.name} is not a readable xlsx workbook") from None
        types = {str(row[0]): str(row[1]) for row in described}
        fields = ", ".join(_excel_value(name, type_) for name, type_ in types.items())
        selects[file.name] = (
            f"select {fields}, {literal(file.name)} as _file, _number as _row, "
            "cast(null as varchar) as _malformed, cast(to_json(r) as varchar) as _original "
            f"from (select *, row_number() over () as _number from {sheet}, all_varchar=true)) as r"
        )
        file_columns[file.name] = list(types)
        offered[file.name] = _sheet_rows(file)
    columns = {name: "VARCHAR" for names in file_columns.values() for name in names}

    def relation(names: Sequence[str], landed: Path | None) -> str:
        rows = f"({' union all by name '.join(selects[name] for name in names)})"
        return not_landed(rows, landed)

    return Reading(columns, offered, relation, file_columns)


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


def _sheet_rows(file: LocalFile) -> int:
    """Rows of the first sheet after the header, from the workbook's XML."""
    from xml.etree.ElementTree import iterparse

    try:
        with zipfile.ZipFile(file.path) as book:
            names = sorted(n for n in book.namelist() if n.startswith("xl/worksheets/sheet"))
            with book.open(names[0]) as sheet:
                last = 0
                for _, element in iterparse(sheet):  # noqa: S314  # an operator's own workbook
                    if element.tag.endswith("}row"):
                        last = int(element.get("r") or last + 1) if len(element) else last
                        element.clear()
    except (zipfile.BadZipFile, IndexError, ParseError):
        raise KhachError(f"{file.name} is not a readable xlsx workbook") from None
    return max(last - 1, 0)
