"""A query's answer as a file that a spreadsheet opens as it is: CSV, xlsx, or Parquet for engines.

What Excel would guess wrong is written so that it cannot (`khach.spreadsheets`).
"""

import os
import re
import shutil
from pathlib import Path

import duckdb

from khach.environment import Environment
from khach.errors import ConfigError
from khach.readers import query_errors, read_only_session, reading_statement
from khach.spreadsheets import BOM, MISLEADING, UNPRINTABLE, XLSX_ROWS

FORMATS = (".csv", ".xlsx", ".parquet")
_AS_THEY_ARE = ("BOOLEAN", "DATE", "TIMESTAMP", "FLOAT", "DOUBLE", "TINYINT", "SMALLINT", "INTEGER")
_DIGITS = 15


def export(env: Environment, sql: str, file: Path, *, is_forced: bool = False) -> int:
    """Write the rows of one reading statement to a file; how many they are.

    ConfigError for an ending that is no format, a file that exists (unless forced), and more rows
    than a sheet holds. The file appears whole or not at all.
    """
    kind = file.suffix.lower()
    if kind not in FORMATS:
        raise ConfigError(f"{file.name} ends in no format", fix=f"name it *{', *'.join(FORMATS)}")
    if file.exists() and not is_forced:
        raise ConfigError(f"{file} exists", fix="give it another name, or add --force")
    if not file.parent.is_dir():
        raise ConfigError(f"the folder of {file} does not exist", fix=f"mkdir -p {file.parent}")
    partial = file.resolve().with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        with read_only_session(env, writes=partial, extensions=("excel",)) as connection:
            rows = _write(connection, sql, kind, partial)
        if kind == ".csv":
            _mark_as_utf8(partial)
        partial.replace(file.resolve())
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _write(connection: duckdb.DuckDBPyConnection, sql: str, kind: str, file: Path) -> int:
    from ingestion.parquet import literal, quote

    statement = reading_statement(connection, sql)
    with query_errors():
        connection.execute(f"create temp table answer as from (\n{statement}\n)")
    count = connection.execute("select count(*) from answer").fetchone()
    rows = int(count[0]) if count else 0
    if kind == ".xlsx" and rows > XLSX_ROWS:
        raise ConfigError(f"{rows:,} rows are more than a sheet holds",
                          fix=f"limit {XLSX_ROWS}, or write .csv or .parquet")  # fmt: skip
    cells = []
    for name, type_, *_ in connection.execute("describe answer").fetchall():
        shown = f"'{name}" if kind == ".csv" and re.search(MISLEADING, name) else name
        cells.append(f"{_cell(connection, quote(name), type_, kind)} as {quote(shown)}")
    how = {".csv": "format csv, header", ".xlsx": "format xlsx, header true",
           ".parquet": "format parquet, compression zstd"}[kind]  # fmt: skip
    connection.execute(f"copy (select {', '.join(cells)} from answer) to {literal(file)} ({how})")
    return rows


def _cell(connection: duckdb.DuckDBPyConnection, name: str, type_: str, kind: str) -> str:
    """A column as it goes into the file."""
    if kind == ".parquet" or type_ in _AS_THEY_ARE:
        return name
    written = f"cast({name} as varchar)"
    if type_.startswith(("DECIMAL", "BIGINT", "HUGEINT", "UBIGINT", "UINTEGER", "UHUGEINT")):
        plain = f"regexp_replace({written}, '(\\.\\d*?)0+$', '\\1')"
        is_long = f"length(regexp_replace({plain}, '[^0-9]', '', 'g')) > {_DIGITS}"
        found = connection.execute(f"select bool_or({is_long}) from answer").fetchone()
        if not (found and found[0]):
            return name
        # A column of a sheet has one type; a CSV marks the single value.
        return written if kind == ".xlsx" else _marked(written, is_long)
    if kind == ".xlsx":
        return f"regexp_replace({written}, '{UNPRINTABLE}', '', 'g')"
    return _marked(written, f"regexp_matches({written}, '{MISLEADING}')")


def _marked(written: str, condition: str) -> str:
    return f"case when {condition} then '''' || {written} else {written} end"


def _mark_as_utf8(file: Path) -> None:
    """Put the byte order mark before it: without one Excel takes Vietnamese for another charset."""
    marked = file.with_name(f"{file.name}.marked")
    try:
        with file.open("rb") as source, marked.open("wb") as target:
            target.write(BOM)
            shutil.copyfileobj(source, target)
        marked.replace(file)
    finally:
        marked.unlink(missing_ok=True)
