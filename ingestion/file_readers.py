"""The files of one table by their format, and whether they have the columns that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.csv_reader import read_csv_files
from ingestion.mapping import targets
from ingestion.ndjson_reader import read_ndjson_files
from ingestion.readers import Reading, format_of, read_parquet_files
from ingestion.xlsx_reader import read_xlsx_files
from khach.errors import ConfigError, KhachError

if TYPE_CHECKING:
    import duckdb

    from ingestion.delivered import LocalFile
    from ingestion.sources.files import FilesConfig, FileTable


def read_files(
    connection: duckdb.DuckDBPyConnection,
    mapping: FileTable,
    files: list[LocalFile],
    staging: Path,
    *,
    scrub_all: bool,
) -> Reading:
    """The files as one relation; with `scrub_all` text is cleaned of what DuckDB cannot read.

    Raises KhachError when a file cannot be read, or they are of several formats.
    """
    formats = {format_of(file.name) for file in files}
    if len(formats) > 1:
        raise KhachError(f"{mapping.from_} matches files of several formats: {sorted(formats)}")
    if "parquet" in formats:
        return read_parquet_files(connection, files)
    if "xlsx" in formats:
        return read_xlsx_files(connection, files, mapping)
    if "ndjson" in formats:
        wanted = mapping.source_columns()
        return read_ndjson_files(connection, files, staging, scrub_all=scrub_all, wanted=wanted)
    return read_csv_files(files, staging, delimiter=mapping.delimiter, scrub_all=scrub_all)


def check_columns(config: FilesConfig, entity: str, mapping: FileTable, reading: Reading) -> None:
    """ConfigError when delivered files that have rows lack a column that the mapping reads.

    It is about the first of them, and says how many there are.
    """
    mistakes = []
    for name in reading.file_columns:
        try:
            _check_file(config, entity, mapping, reading, name)
        except ConfigError as mistake:
            mistakes.append(mistake)
    if len(mistakes) > 1:
        mistakes[0].message += f" (the first of {len(mistakes)} such files)"
    if mistakes:
        raise mistakes[0]


def _check_file(
    config: FilesConfig, entity: str, mapping: FileTable, reading: Reading, name: str
) -> None:
    wanted = {column.lower() for column in mapping.source_columns()}
    columns = reading.file_columns[name]
    has_header = format_of(name) in ("csv", "xlsx")
    if has_header and wanted and columns and not wanted & {column.lower() for column in columns}:
        # Not a word of what stands there: it may be somebody's row. With one row alone, too.
        raise config.problem(
            f"{name} has none of the columns that {entity} reads, but {len(columns)} others",
            *("tables", entity, "columns"),
            fix="is its first line a header, and the delimiter the one of the file? What stands "
            "above the header is left out by header_row: N, the line of the header",
        )
    if reading.offered[name]:
        targets(config, entity, mapping, dict.fromkeys(columns, "VARCHAR"), name)
