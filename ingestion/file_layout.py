"""How the rows lie in a delivered file: settings of a table of a files source."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from ingestion.text_encoding import Encoding

# Formats (`ingestion.readers.SUFFIXES`) that have use for a setting.
_USED = {"encoding": ("csv", "ndjson"), "header_row": ("csv", "xlsx"), "sheet": ("xlsx",)}


def _is_default(value: object) -> bool:
    return value is None


class FileLayout(BaseModel):
    """What a file does not tell by itself."""

    # Left out where they are not set: a table's mapping is recognised by what is set
    # (`ingestion.contract.mapping_digest`), and a new setting must not change it.
    encoding: Encoding | None = Field(
        default=None,
        exclude_if=_is_default,
        description="The encoding of text files, such as windows-1258; UTF-8 when left out. A file "
        "that begins with the mark of UTF-16 or UTF-8 is read as that, whatever stands here.",
    )
    header_row: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        exclude_if=_is_default,
        description="The line (of a workbook: the row) in which the header of CSV or xlsx stands, "
        "counted from 1; what is above it is not read. The first that is not blank when left out.",
    )
    sheet: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        exclude_if=_is_default,
        description="The sheet of an xlsx workbook; the first when left out.",
    )

    def unused(self, kind: str | None) -> dict[str, str]:
        """Settings that files of a format have no use for, and what they are for."""
        return {
            setting: " and ".join(kinds)
            for setting, kinds in _USED.items()
            if kind is not None and kind not in kinds and getattr(self, setting) is not None
        }
