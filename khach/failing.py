"""The rows behind a failed check, selected again on demand; they are stored nowhere."""

from typing import Any

import duckdb

from khach.environment import Environment
from khach.errors import KhachError
from khach.lock import run_lock
from khach.state import open_state


def failing_rows(
    env: Environment, run_id: str, check_name: str, *, limit: int
) -> list[dict[str, Any]]:
    """Each result of a check in a run: rule, status, columns, rows (at most `limit`), note.

    Reads the lake and the warehouse as they are now. KhachError when the run has no such check,
    BusyError while a run holds the files.
    """
    with run_lock(env, "khach checks show"):
        with open_state(env) as state:
            found = state.execute(
                "select rule, is_success, severity, failed_count, failing_sql, source, table_name, "
                "load_id from check_results where run_id = ? and check_name = ? "
                "order by load_id, source, table_name",
                [run_id, check_name],
            ).fetchall()
            known = state.execute(
                "select distinct check_name from check_results where run_id = ? order by all",
                [run_id],
            ).fetchall()
        if not found:
            names = ", ".join(str(row[0]) for row in known) or "no check at all"
            raise KhachError(f"run {run_id} has no check {check_name}", fix=f"it has {names}")
        return [_result(env, row, limit) for row in found]


def _result(env: Environment, row: tuple[Any, ...], limit: int) -> dict[str, Any]:
    rule, is_success, severity, failed_count, failing_sql, source, table, load_id = row
    status = "passed" if is_success else f"failed ({severity})"
    result: dict[str, Any] = {
        "rule": rule, "status": status, "source": source, "table_name": table,
        "load_id": load_id, "failed_count": failed_count, "columns": [], "rows": [], "note": None,
    }  # fmt: skip
    if is_success:
        return result
    if not failing_sql:
        return result | {"note": "this check is about the whole table: no single row is at fault"}
    return result | _select(env, failing_sql, limit)


def _select(env: Environment, sql: str, limit: int) -> dict[str, Any]:
    """Run the stored selection where its tables are: warehouse (as the default) and state."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for name, path in (("state", env.state), ("warehouse", env.warehouse)):
            if path.exists():
                file = str(path).replace("'", "''")
                connection.execute(f"attach '{file}' as {name} (read_only)")
        if env.warehouse.exists():
            connection.execute("use warehouse")
        try:
            cursor = connection.execute(sql)
        except duckdb.Error as problem:
            kind = type(problem).__name__
            return {"note": f"the rows cannot be read any more ({kind}): {sql}"}
        columns = [column[0] for column in cursor.description or []]
        rows = cursor.fetchmany(limit + 1)
    note = f"the first {limit} of more rows" if len(rows) > limit else None
    return {"columns": columns, "rows": rows[:limit], "note": note}
