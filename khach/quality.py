"""Row accounting: no row of a delivery is lost without a name for where it went.

offered = landed + quarantined, and landed = in marts + duplicate + filtered.
"""

from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from khach.environment import Environment
from khach.state import connect, open_state

_KEY = ("source", "load_id", "table_name")
_COUNTS = ("rows_in_marts", "rows_duplicate", "rows_filtered")


@dataclass(frozen=True)
class TableAccount:
    """Rows of one source's table over all accepted loads; None: dbt has not counted it yet."""

    source: str
    table_name: str
    rows_offered: int
    rows_landed: int
    rows_quarantined: int
    rows_duplicate: int | None
    rows_filtered: int | None
    rows_in_marts: int | None

    @property
    def is_balanced(self) -> bool | None:
        """Whether every row is accounted for; None when dbt has not counted yet."""
        if self.rows_offered != self.rows_landed + self.rows_quarantined:
            return False
        if self.rows_duplicate is None or self.rows_filtered is None or self.rows_in_marts is None:
            return None
        return self.rows_landed == self.rows_in_marts + self.rows_duplicate + self.rows_filtered

    def as_dict(self) -> dict[str, Any]:
        """The fields and `is_balanced`, for `--json`."""
        return asdict(self) | {"is_balanced": self.is_balanced}


def record_quality(env: Environment, run_id: str) -> None:
    """Bring `data_quality` up to date: one row per table of a load, under the run that landed it.

    A newer load turns rows of older ones into duplicates, so all rows get the newest figures.
    """
    counted = _counted(env)
    with open_state(env) as state:
        if counted is not None:
            state.register("counted", counted)
        state.execute("begin")
        state.execute(
            "create or replace temp table fresh as select coalesce(q.run_id, ?) as run_id, t.*, "
            "l.verdict, l.reason from load_tables as t join loads as l using (source, load_id) "
            "left join (select distinct source, load_id, run_id from data_quality) as q "
            "using (source, load_id)",
            [run_id],
        )
        state.execute("delete from data_quality")
        counts = ", ".join(
            f"coalesce(c.{name}, if(rows_landed = 0, 0, null)) as {name}"
            if counted is not None
            else f"null as {name}"
            for name in _COUNTS
        )
        state.execute(
            "insert into data_quality by name select run_id, load_id, source, table_name, "
            f"rows_offered, rows_landed, rows_quarantined, {counts}, 'landing' as gate, "
            "verdict as status, reason as message from fresh "
            + ("left join counted as c using (source, load_id, table_name)" if counted is not None
               else "")
        )  # fmt: skip
        state.execute("commit")


def accounts(connection: duckdb.DuckDBPyConnection) -> list[TableAccount]:
    """Accounts per source and table over accepted loads, from a `data_quality` table in reach."""
    rows = connection.execute(
        "select source, table_name, sum(rows_offered)::bigint, sum(rows_landed)::bigint, "
        "sum(rows_quarantined)::bigint, "
        + ", ".join(
            f"case when count({name}) = count(*) then sum({name})::bigint end"
            for name in ("rows_duplicate", "rows_filtered", "rows_in_marts")
        )
        + " from data_quality where status = 'accepted' group by all order by all"
    ).fetchall()
    return [TableAccount(*row) for row in rows]


def _counted(env: Environment) -> Any:
    """The warehouse model `row_accounting` as an Arrow table; None before dbt has built it."""
    if not env.warehouse.exists():
        return None
    connection = connect(env.warehouse, read_only=True)
    try:
        place = connection.execute(
            "select schema_name from duckdb_tables() where table_name = 'row_accounting' "
            "union select schema_name from duckdb_views() where view_name = 'row_accounting'"
        ).fetchone()
        if place is None:
            return None
        columns = ", ".join((*_KEY, *(f"{name}::bigint as {name}" for name in _COUNTS)))
        return connection.execute(
            f"select {columns} from {place[0]}.row_accounting"
        ).to_arrow_table()
    finally:
        connection.close()
