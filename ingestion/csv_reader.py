"""CSV deliveries: every value is text until the entity's types are put on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ingestion import csv_records, textfiles
from ingestion.delivered import LocalFile
from ingestion.parquet import literal, quote
from ingestion.quarantine import BadRow
from ingestion.readers import (
    OWN_COLUMNS,
    Reading,
    TextPart,
    not_landed,
    numbered_lines,
)
from ingestion.text_encoding import other_encoding
from khach.errors import KhachError

# So many rows that are no UTF-8, and more of them than rows that are, with letters beyond ASCII:
# then it is not some rows that are damaged, the file is in another encoding. After many nobody
# reads on.
_SOME, _MANY = 5, 10_000


def read_csv_files(
    files: list[LocalFile], staging: Path, *, delimiter: str, scrub_all: bool
) -> Reading:
    """CSV: empty is null; a line with too many or too few fields is refused.

    Blank lines and records that are empty in all fields are no rows. Raises ConfigError when a
    file is not text in UTF-8, but for a few lines.
    """
    parts: dict[str, TextPart] = {}
    offered: dict[str, int] = {}
    refused: dict[str, list[BadRow]] = {}
    for number, file in enumerate(files):
        found = textfiles.survey(file.path, file.name)
        header = _header(file, delimiter)
        rows, empty = max(found.lines - found.blank_end - 1, 0), 0
        if found.has_quotes and found.is_clean:
            rows, empty = csv_records.count_records(file.path, delimiter)
        parts[file.name] = TextPart(file, file.path, header, rows)
        # Further blank ones are met by a count that falls short, and then cleaned away.
        offered[file.name] = rows - empty
        # In a single column DuckDB takes a blank line for a row.
        is_clean = found.is_clean and not (found.blank_end and len(header) == 1)
        if scrub_all or not is_clean:
            target = staging / f"scrubbed-{number}.csv"
            parts[file.name], bad = _scrub_csv(file, target, header, delimiter)
            refused[file.name] = bad
            offered[file.name] = parts[file.name].rows + len(bad)
    delivered = (name for part in parts.values() for name in part.header)
    columns = {name: "VARCHAR" for name in delivered if name.lower() not in OWN_COLUMNS}

    def relation(names: Sequence[str], landed: Path | None) -> str:
        wanted = [parts[name] for name in names if parts[name].rows]
        groups: dict[tuple[tuple[str, ...], bool], list[TextPart]] = {}
        for part in wanted:
            groups.setdefault((part.header, part.is_numbered), []).append(part)
        selects = [
            _csv_group(group, header, columns, delimiter, is_numbered=is_numbered)
            for (header, is_numbered), group in groups.items()
        ]
        rows = f"({' union all '.join(selects)})" if selects else _nothing(columns)
        return not_landed(rows, landed)

    def originals(name: str, rows: set[int]) -> Mapping[int, bytes]:
        part = parts[name]
        records = csv_records.records(part.file.path, delimiter, len(part.header))
        return {
            record.number: record.original
            for record in records
            if record.number in rows and not record.is_blank
        }

    headers = {name: part.header for name, part in parts.items()}
    return Reading(columns, offered, relation, headers, refused, originals, original="csv")


def _header(file: LocalFile, delimiter: str) -> tuple[str, ...]:
    header = tuple(name.strip() for name in csv_records.header(file.path, delimiter))
    if any("\x00" in name or "\ufffd" in name for name in header):
        with textfiles.open_bytes(file.path) as content:
            raise other_encoding(file.name, content.readline())
    lowered = [name.lower() for name in header]
    for number, name in enumerate(lowered, 1):
        twin = lowered.index(name) + 1
        if name and twin == number:
            continue
        what = f"has the name of column {twin}" if name else "has no name"
        raise KhachError(
            f"{file.name}, line 1: column {number} of {len(header)} {what}",
            fix="deliver it with a header line in which each column has a name of its own",
        )
    return header


def _csv_group(
    group: list[TextPart],
    header: tuple[str, ...],
    columns: Mapping[str, str],
    delimiter: str,
    *,
    is_numbered: bool,
) -> str:
    read = ("_record", *header) if is_numbered else header
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in read)
    options = (
        f"delim={literal(delimiter)}, quote='\"', escape='\"', auto_detect=false, "
        "filename='_khach_file', "
        f"header={'false' if is_numbered else 'true'}, max_line_size=10000000, columns={{{types}}}"
        # So a cleaned copy ends its records; DuckDB would guess from what the first one quotes.
        + (r", new_line='\n'" if is_numbered else "")
    )
    fields = ", ".join(
        (quote(name) if name in header else f"cast(null as varchar) as {quote(name)}")
        for name in columns
    )
    filled = f", coalesce({', '.join(map(quote, header))}) is not null as _khach_filled"
    lines = numbered_lines(group, options, fields + filled + (", _record" if is_numbered else ""))
    row = "cast(_record as bigint)" if is_numbered else "_row"
    names = ", ".join(quote(name) for name in columns)
    return (
        f"select {names}, _file, {row} as _row, cast(null as varchar) as _malformed, "
        f"cast(null as varchar) as _original from {lines} where _khach_filled"
    )


def _scrub_csv(
    file: LocalFile, target: Path, header: tuple[str, ...], delimiter: str
) -> tuple[TextPart, list[BadRow]]:
    """Copy the good records, each with its number in front; the others are refused."""
    bad: list[BadRow] = []
    good = own = foreign = 0
    with target.open("wb") as out:
        for record in csv_records.records(file.path, delimiter, len(header)):
            if record.is_blank:
                continue
            if record.reason:
                bad.append(BadRow(record.number, record.reason, record.original))
                foreign += record.reason.startswith(textfiles.NOT_UTF8)
                if foreign > max(own, _MANY):
                    break
                continue
            good += 1
            own += not record.original.isascii()
            text = record.original.rstrip(b"\r\n")
            out.write(f"{record.number}{delimiter}".encode() + text + b"\n")
    if foreign > own and foreign >= _SOME:
        raise other_encoding(file.name, bad[-1].original)
    return TextPart(file, target, header, good, is_numbered=True), bad


def _nothing(columns: Mapping[str, str]) -> str:
    fields = "".join(f"cast(null as varchar) as {quote(name)}, " for name in columns)
    return (
        f"(select {fields}'' as _file, 0::bigint as _row, cast(null as varchar) as _malformed, "
        "cast(null as varchar) as _original where false)"
    )
