"""CSV files of the configuration, with the line of every row."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from khach.errors import ConfigError

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class CsvFile:
    """A file as it stands: rows with their 1-based last line, and one mistake per row misfit."""

    header: list[str]
    rows: list[tuple[int, dict[str, str]]]
    misfits: list[ConfigError]


def read_csv(path: Path) -> CsvFile:
    """Read a small CSV; ConfigError when it is no UTF-8 text or no CSV."""
    rows: list[tuple[int, dict[str, str]]] = []
    misfits = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            for cells in reader:
                if len(cells) == len(header):
                    rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
                elif cells:  # an empty line is none
                    misfits.append(
                        ConfigError(
                            f"the row has {len(cells)} values for {len(header)} columns",
                            file=path,
                            line=reader.line_num,
                            fix="put a value with a comma into double quotes; the columns are "
                            + ",".join(header),
                        )
                    )
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path.name} is not UTF-8 text", file=path, fix="save it as CSV UTF-8"
        ) from None
    except csv.Error as problem:
        raise ConfigError(
            f"{path.name} is no CSV: {problem}",
            file=path,
            line=reader.line_num,
            fix="a double quote within a quoted value is written twice",
        ) from None
    return CsvFile(header, rows, misfits)


def header_remedy(header: Sequence[str], columns: Sequence[str]) -> str:
    """The first line that a CSV should have, after what may have gone wrong with this one."""
    wanted = ",".join(columns)
    for sign, name in _OTHER_SEPARATORS.items():
        if len(header) == 1 and sign in header[0]:
            return f"separate the columns by commas, not by {name}: {wanted}"
    return wanted
