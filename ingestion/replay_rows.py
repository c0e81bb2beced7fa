"""How quarantined rows are read again: as delivered files of their own, or as items of pages.

Both give, for each row, why it stays (None: it passes), and write what passes as one Parquet file,
under the file and row number that the rows were delivered with.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ingestion.csv_records import fields_of
from ingestion.delivered import LocalFile
from ingestion.parquet import copy_to_parquet, duckdb_session, literal, quote
from ingestion.shapes import Shape, good_rows, rows_query
from ingestion.text_encoding import as_utf8
from ingestion.textfiles import no_text

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from ingestion.landing import Landed
    from ingestion.quarantine import QuarantinedRow
    from ingestion.sources.files import FileTable
    from ingestion.spec import FetchContext, RowReplay, TableSpec

FileReader = Callable[["FetchContext", str, LocalFile, "Path"], "Landed"]


def through_files(reader: FileReader) -> RowReplay:
    """Rows of delivered files, written as files again for the source's own `reader`."""

    def read(
        context: FetchContext, table: TableSpec, rows: Sequence[QuarantinedRow], path: Path
    ) -> list[str | None]:
        groups: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            groups.setdefault(json.dumps(row.columns), []).append(number)
        reasons: list[str | None] = [row.bad.reason for row in rows]
        parts = []
        for group, numbers in enumerate(groups.values()):
            own = [rows[number] for number in numbers]
            part = context.staging / f"part-{table.name}-{group}.parquet"
            file, taken = _as_file(context, own, part.with_name(f"again-{table.name}-{group}"))
            result = reader(context, table.name, file, part)
            refused = {bad.line: bad.reason for bad in result.refused.get(file.name, ())}
            for line, index in enumerate(taken, start=1):
                reasons[numbers[index]] = refused.get(line)
            parts.append(part.with_suffix(".rows.parquet"))
            _put_back(context, table, part, [own[index] for index in taken], parts[-1])
        with duckdb_session(context.staging) as connection:
            read = f"select * from read_parquet([{', '.join(map(literal, parts))}])"
            copy_to_parquet(connection, table, read, path)
        return reasons

    return read


def through_queries(query: Callable[[str, str], str]) -> RowReplay:
    """Rows of a vendor's answers: `query(table, originals)` is SQL of the table's columns as text.

    `originals` is SQL of `_file`, `_row` and `original`; the query also yields `_problem`.
    """

    def read(
        context: FetchContext, table: TableSpec, rows: Sequence[QuarantinedRow], path: Path
    ) -> list[str | None]:
        part = context.staging / f"part-{table.name}.parquet"
        with duckdb_session(context.staging) as connection:
            connection.execute(
                "create temp table originals as select unnest(?) as _file, "
                "unnest(?)::bigint as _row, unnest(?) as original",
                [
                    [row.file for row in rows],
                    list(range(1, len(rows) + 1)),
                    [row.bad.original.decode() for row in rows],
                ],
            )
            found = query(table.name, "select * from originals")
            copy_to_parquet(connection, table, good_rows(table, found), part)
            problems: dict[int, str] = dict(
                connection.execute(
                    f"select _row, _problem from ({found}) where _problem is not null"
                ).fetchall()
            )
            passed: set[int] = {
                number
                for (number,) in connection.execute(
                    f"select _row from read_parquet({literal(part)})"
                ).fetchall()
            }
        _put_back(context, table, part, rows, path)
        return [
            None if number in passed else problems.get(number, row.bad.reason)
            for number, row in enumerate(rows, start=1)
        ]

    return read


def through_shapes(tables: Mapping[str, TableSpec], shapes: Mapping[str, Shape]) -> RowReplay:
    """Items of pages (`ingestion.shapes`), each of which names no row but its own."""

    def query(table: str, originals: str) -> str:
        items = f"select _file, _row, cast(original as json) as raw from ({originals})"
        return rows_query(tables[table], shapes[table], items, is_numbered=True)

    return through_queries(query)


def _put_back(
    context: FetchContext,
    table: TableSpec,
    part: Path,
    rows: Sequence[QuarantinedRow],
    target: Path,
) -> None:
    """The rows that landed, with the file and row that they were delivered with."""
    with duckdb_session(context.staging) as connection:
        connection.execute(
            "create temp table delivered as select unnest(?) as file, unnest(?) as line",
            [[row.file for row in rows], [row.bad.line for row in rows]],
        )
        copy_to_parquet(
            connection,
            table,
            "select landed.* replace (delivered.file as _file, delivered.line as _row) "
            f"from read_parquet({literal(part)}) as landed "
            "join delivered on landed._row = delivered.rowid + 1",
            target,
        )


def _as_file(
    context: FetchContext, rows: Sequence[QuarantinedRow], path: Path
) -> tuple[LocalFile, list[int]]:
    """The rows as a delivered file of their own, and which of them it has, in order."""
    columns = rows[0].columns
    name = f"the quarantine of {rows[0].file}"
    if columns is None:
        target = path.with_suffix(".ndjson")
        with target.open("wb") as out:
            out.writelines(row.bad.original + b"\n" for row in rows)
        return LocalFile(f"{name}.ndjson", target, ""), list(range(len(rows)))
    if isinstance(columns, Mapping):
        target = path.with_suffix(".parquet")
        with duckdb_session(context.staging) as connection:
            taken = _write_typed(connection, columns, rows, target)
        return LocalFile(f"{name}.parquet", target, ""), taken
    target = path.with_suffix(".csv")
    taken = _write_csv(columns, rows, context.config.tables[rows[0].table], target)
    return LocalFile(f"{name}.csv", target, ""), taken


def _write_csv(
    header: Sequence[str], rows: Sequence[QuarantinedRow], table: FileTable, path: Path
) -> list[int]:
    """Only what is one record of the header's width; the others would spoil their neighbours."""
    delimiter = table.delimiter
    taken = []
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for number, row in enumerate(rows):
            original = row.bad.original
            if table.encoding and no_text(original):  # quarantined before the encoding was set
                original = b"".join(as_utf8([original], table.encoding))
            fields = fields_of(original, delimiter)
            if fields is not None and len(fields) == len(header):
                writer.writerow(fields)
                taken.append(number)
    return taken


def _write_typed(
    connection: duckdb.DuckDBPyConnection,
    types: Mapping[str, str],
    rows: Sequence[QuarantinedRow],
    path: Path,
) -> list[int]:
    """Only rows whose values their declared types can hold: nothing may become NULL on the way."""
    connection.execute(
        "create temp table originals as select unnest(?) as number, unnest(?) as original",
        [list(range(len(rows))), [row.bad.original.decode() for row in rows]],
    )
    fields, lost = [], ["false"]
    for name, type_ in types.items():
        text = f"json_extract_string(original, {literal(_json_path(name))})"
        is_nested = type_.startswith(("STRUCT", "MAP")) or type_.endswith("]")
        value = f"json_extract(original, {literal(_json_path(name))})" if is_nested else text
        fields.append(f"try_cast({value} as {type_}) as {quote(name)}")
        lost.append(f"({text} is not null and try_cast({value} as {type_}) is null)")
    good = f"from originals where not ({' or '.join(lost)}) order by number"
    connection.execute(
        f"copy (select {', '.join(fields)} {good}) to {literal(path)} (format parquet)"
    )
    return [number for (number,) in connection.execute(f"select number {good}").fetchall()]


def _json_path(name: str) -> str:
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
