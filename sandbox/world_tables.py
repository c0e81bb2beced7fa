"""What the simulated businesses' own files say up to the present day, as DuckDB tables.

The servers that show a business through a vendor's API read nothing else, so that what they show
is what the exports say. A table is read again when the clock has moved.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from sandbox.files import read_json
from sandbox.sizes import LAST_HISTORY_DAY

# What a vendor's API shows begins here; the older history is in the exports alone.
FIRST_DAY_SHOWN = LAST_HISTORY_DAY - timedelta(days=29)
# The shop writes its local time.
TO_UTC = "- interval 7 hour"


class WorldTables:
    """One DuckDB with a vendor's tables, made by `fill` and made anew when a day was added."""

    def __init__(self, root: Path, fill: Callable[[duckdb.DuckDBPyConnection, Path, str], None]):
        self.root = root
        self._fill = fill
        self._lock = threading.Lock()
        self._day: str | None = None
        self._connection = duckdb.connect()
        self._connection.execute("set timezone = 'UTC'; set threads = 1")

    @property
    def now(self) -> datetime:
        """The simulated present (aware, UTC)."""
        text = read_json(self.root / "clock.json")["now"]
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)

    def rows(self, sql: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query, each by column name."""
        with self._lock:
            today = read_json(self.root / "clock.json")["today"]
            if today != self._day:
                self._fill(self._connection, self.root, today)
                self._day = today
            return self._connection.execute(sql, values or []).to_arrow_table().to_pylist()

    def refresh(self) -> None:
        """Read everything again at the next question."""
        self._day = None


def newest(folder: Path, key: str, today: str, order: str | None = None) -> str:
    """SQL: the newest row of each key in daily CSV files, as text, up to a day."""
    pattern = str(folder).replace("'", "''")
    by = f"{order} desc, filename desc" if order else "filename desc"
    return (
        f"select * from read_csv('{pattern}', all_varchar=true, header=true, filename=true, "
        f"union_by_name=true, delim=',', quote='\"', escape='\"') "
        f"where regexp_extract(filename, '([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})', 1) <= '{today}' "
        f"qualify row_number() over (partition by {key} order by {by}) = 1"
    )


def number(column: str) -> str:
    """SQL: the whole number in an identifier such as W0000209."""
    return f"cast(regexp_extract({column}, '[0-9]+') as bigint)"
