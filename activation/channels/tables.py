"""The formats a list of members is delivered in: streamed, every cell text.

`csv` is for machines. `csv_excel` and `xlsx` are for people: nothing a cell holds is run as a
formula, no phone number loses its zero (`khach.spreadsheets`). `parquet` is for engines.
"""

import csv
import errno
import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from activation.consent import PermittedRow
from khach.errors import ConfigError
from khach.extensions import load_extension
from khach.spreadsheets import BOM, MISLEADING, UNPRINTABLE, XLSX_ROWS

SUFFIXES = {"csv": ".csv", "csv_excel": ".csv", "xlsx": ".xlsx", "parquet": ".parquet"}
FORMATS = tuple(SUFFIXES)
FIELD_NAME = re.compile(r"(?!(customer_id|identifier)$)[a-z][a-z0-9_]*")
_BATCH = 20_000
_MISLEADING = re.compile(MISLEADING)
_UNPRINTABLE = re.compile(UNPRINTABLE)


@dataclass(frozen=True)
class Manifest:
    """What a delivered list must be; written beside it, last. Carries nothing of a row."""

    file: str
    format: str
    rows: int
    bytes: int
    sha256: str
    plan_id: str

    def as_dict(self) -> dict[str, str | int]:
        """As the JSON file has it."""
        return asdict(self)


def write_members(
    path: Path, file_format: str, rows: Sequence[PermittedRow], fields: Sequence[str]
) -> None:
    """Write customer_id, identifier and the fields of each row, in order of customer_id.

    Raises TypeError for a row without permission, ConfigError for more rows than a sheet holds.
    """
    if not all(isinstance(row, PermittedRow) for row in rows):
        raise TypeError("only a PermittedRow may be delivered")
    if file_format == "xlsx" and len(rows) > XLSX_ROWS:
        raise ConfigError(
            f"{len(rows):,} members are more than a sheet holds", fix="format: csv or parquet"
        )
    header = ["customer_id", "identifier", *fields]
    ordered = sorted(rows, key=lambda row: row.consent.customer_id)
    cells = (
        [row.consent.customer_id, row.identifier, *(row.fields[name] for name in fields)]
        for row in ordered
    )
    if file_format in ("csv", "csv_excel"):
        _write_csv(path, header, cells, is_for_excel=file_format == "csv_excel")
    elif file_format == "xlsx":
        _write_xlsx(path, header, cells)
    else:
        _write_parquet(path, header, cells)


def describe(path: Path, name: str, file_format: str, rows: int, plan_id: str) -> Manifest:
    """The manifest of a written file that will be delivered under `name`."""
    return Manifest(name, file_format, rows, path.stat().st_size, digest(path), plan_id)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _write_csv(
    path: Path, header: list[str], cells: Iterator[list[str]], *, is_for_excel: bool
) -> None:
    with path.open("wb") as raw:
        if is_for_excel:
            raw.write(BOM)
    with path.open("a", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(header)
        writer.writerows(map(_harmless, cells) if is_for_excel else cells)


def _harmless(cells: list[str]) -> list[str]:
    return [f"'{cell}" if _MISLEADING.search(cell) else cell for cell in cells]


def _write_xlsx(path: Path, header: list[str], cells: Iterator[list[str]]) -> None:
    printable = ([_UNPRINTABLE.sub("", cell) for cell in row] for row in cells)
    reader = pa.RecordBatchReader.from_batches(_schema(header), _batches(header, printable))
    with duckdb.connect() as connection:
        load_extension(connection, "excel")
        connection.register("members", reader)
        target = str(path).replace("'", "''")
        try:
            connection.execute(f"copy (from members) to '{target}' (format xlsx, header true)")
        except duckdb.IOException:
            raise OSError(errno.EIO, "the sheet cannot be written") from None


def _write_parquet(path: Path, header: list[str], cells: Iterator[list[str]]) -> None:
    with pq.ParquetWriter(path, _schema(header), compression="zstd") as writer:
        for batch in _batches(header, cells):
            writer.write_batch(batch)


def _schema(header: list[str]) -> pa.Schema:
    return pa.schema([(name, pa.string()) for name in header])


def _batches(header: list[str], cells: Iterator[list[str]]) -> Iterator[pa.RecordBatch]:
    while rows := list(itertools.islice(cells, _BATCH)):
        arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=_schema(header))
