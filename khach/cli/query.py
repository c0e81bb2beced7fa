"""`khach query`: SQL on what is published, and nothing else."""

import csv
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from khach.cli.output import AsJson, emit, table
from khach.environment import load_environment
from khach.errors import ConfigError

SHOWN_ROWS = 200


def register(app: typer.Typer) -> None:
    """Add this command to the root."""
    app.command(epilog='Example: khach query "select lifecycle_stage, count(*) from customers '
                       'group by all" --output stages.xlsx')(query)  # fmt: skip


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement that reads.")],
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Comma-separated values on stdout.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Write to this .csv, .xlsx (both safe for Excel) or .parquet file."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read the published marts and the operations tables; refuses to write."""
    from khach.readers import read_only_session, run_query

    if as_csv and (as_json or output):
        raise ConfigError("--csv, which writes to stdout, excludes --json and --output")
    if output is not None:
        _export(sql, output, is_forced=force, as_json=as_json)
        return
    with read_only_session(load_environment()) as connection:
        columns, rows = run_query(connection, sql)
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
        return
    emit(as_json, {"columns": columns, "rows": rows}, lambda console: _draw(console, columns, rows))


def _export(sql: str, file: Path, *, is_forced: bool, as_json: bool) -> None:
    from khach.exports import export

    rows = export(load_environment(), sql, file, is_forced=is_forced)
    emit(as_json, {"file": file, "rows": rows}, lambda console: console.print(
        f"wrote {rows:,} rows to {file}", markup=False))  # fmt: skip


def _draw(console: Console, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    console.print(table(columns, rows[:SHOWN_ROWS]))
    if len(rows) > SHOWN_ROWS:
        console.print(f"… {len(rows) - SHOWN_ROWS:,} more rows; --csv or --json writes all of them")
