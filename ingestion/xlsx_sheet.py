"""Where the table stands in a sheet of an Excel workbook, read from the workbook's own XML."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError, iterparse

from khach.config_mistakes import suggest
from khach.errors import ConfigError, KhachError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_Row = tuple[int, dict[int, bool]]


@dataclass(frozen=True)
class Sheet:
    """A sheet's header and what is below it: `cells` such as B3:F120, and the rows with a value.

    Rows are counted independently of the reader.
    """

    name: str
    cells: str
    rows: int


def find_sheet(path: Path, file: str, sheet: str | None, header_row: int | None) -> Sheet:
    """The table of a sheet: the named one, else the first; below `header_row`, else the first row.

    Raises ConfigError when the workbook has no such sheet or header, KhachError when it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as book:
            sheets = _sheets(book)
            if sheet is not None and sheet not in sheets:
                raise ConfigError(
                    f"{file} has no sheet {sheet!r}", fix=suggest(sheet, list(sheets))
                )
            name = sheet or next(iter(sheets))
            return _table(file, name, _rows(book, sheets[name]), header_row)
    except (zipfile.BadZipFile, KeyError, ParseError, StopIteration, EOFError):
        raise KhachError(f"{file} is not a readable xlsx workbook") from None


def _table(file: str, name: str, rows: Iterator[_Row], header_row: int | None) -> Sheet:
    """The columns of the header, down to the last row that has a value in one of them."""
    header: set[int] = set()
    first = last = filled = 0
    for number, cells in rows:
        values = {column for column, has_value in cells.items() if has_value}
        if header:
            is_filled = any(min(header) <= column <= max(header) for column in values)
            filled += is_filled
            last = number if is_filled else last
        elif header_row in (None, number) and values:
            header, first, last = values, number, number
    if not header:
        where = f"in row {header_row} of sheet {name!r}" if header_row else f"in sheet {name!r}"
        raise ConfigError(
            f"{file} has no header {where}",
            fix="set sheet and header_row to where the header stands",
        )
    return Sheet(name, f"{_letters(min(header))}{first}:{_letters(max(header))}{last}", filled)


def _sheets(book: zipfile.ZipFile) -> dict[str, str]:
    """The worksheets in the workbook's order: name to the file within it."""
    targets = {
        element.get("Id"): posixpath.normpath(posixpath.join("/xl", element.get("Target", "")))[1:]
        for element in _elements(book, "xl/_rels/workbook.xml.rels", "Relationship")
        if element.get("Type", "").endswith("/worksheet")
    }
    found = {}
    for element in _elements(book, "xl/workbook.xml", "sheet"):
        own = next(value for key, value in element.items() if key.endswith("}id"))
        if own in targets:
            found[element.get("name", "")] = targets[own]
    return found


def _rows(book: zipfile.ZipFile, sheet: str) -> Iterator[_Row]:
    """Each row's number, and its cells: the column's number to whether it has a value."""
    empty: set[str] = set()
    with suppress(KeyError):  # a workbook without texts of its own
        texts = _elements(book, "xl/sharedStrings.xml", "si")
        empty = {str(number) for number, text in enumerate(texts) if not _text(text)}
    number = 0
    for row in _elements(book, sheet, "row"):
        number = int(row.get("r") or number + 1)
        cells, column = {}, 0
        for cell in row:
            column = _column(cell.get("r", "")) or column + 1
            value = _text(cell)
            cells[column] = bool(value) and not (cell.get("t") == "s" and value in empty)
        yield number, cells


def _elements(book: zipfile.ZipFile, name: str, tag: str) -> Iterator[Element]:
    """Every element with a tag, emptied when the next one is asked for."""
    with book.open(name) as content:
        for _, element in iterparse(content):  # noqa: S314  # an operator's own workbook
            if element.tag.rpartition("}")[2] == tag:
                yield element
                element.clear()


def _text(element: Element) -> str:
    """What a cell or a text says; a formula is no value."""
    return "".join(
        part.text or "" for part in element.iter() if part.tag.rpartition("}")[2] in ("v", "t")
    )


def _column(reference: str) -> int:
    column = 0
    for letter in reference.rstrip("0123456789"):
        column = column * 26 + ord(letter) - ord("A") + 1
    return column


def _letters(column: int) -> str:
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
