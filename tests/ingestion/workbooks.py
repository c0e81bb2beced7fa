"""Workbooks cell by cell, as spreadsheet programs write them: texts in a list that all share."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

# A cell's place to its value: text, a number, or None for a cell that only has a format.
Cells = Mapping[str, str | float | None]
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def write_workbook(path: Path, sheets: Mapping[str, Mapping[int, Cells]]) -> None:
    """Sheets in order: name to rows (number to cells by the column's letter)."""
    numbers = list(enumerate(sheets, start=1))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" '
            f'ContentType="{_TYPES}.worksheet+xml"/>'
            for n, _ in numbers
        )
        + f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_TYPES}.sharedStrings+xml"/>'
        + "</Types>",
        "_rels/.rels": _relations({"rId1": ("officeDocument", "xl/workbook.xml")}),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in numbers)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relations(
            {f"rId{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n, _ in numbers}
            | {"rId0": ("sharedStrings", "sharedStrings.xml")}
        ),
    }
    texts: list[str] = []
    for n, name in numbers:
        rows = "".join(
            f'<row r="{row}">'
            + "".join(_cell(f"{column}{row}", value, texts) for column, value in cells.items())
            + "</row>"
            for row, cells in sheets[name].items()
        )
        sheet = f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>'
        parts[f"xl/worksheets/sheet{n}.xml"] = sheet
    shared = "".join(f'<si><t xml:space="preserve">{text}</t></si>' for text in texts)
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{_MAIN}">{shared}</sst>'
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    return f'<Relationships xmlns="{_PACKAGE}/relationships">' + "".join(
        f'<Relationship Id="{own}" Type="{_DOCUMENT}/{kind}" Target="{target}"/>'
        for own, (kind, target) in targets.items()
    ) + "</Relationships>"  # fmt: skip


def _cell(place: str, value: str | float | None, texts: list[str]) -> str:
    if value is None:
        return f'<c r="{place}"/>'
    if isinstance(value, str):
        texts.append(value)
        return f'<c r="{place}" t="s"><v>{len(texts) - 1}</v></c>'
    return f'<c r="{place}"><v>{value}</v></c>'
