"""`state.duckdb`: what we believed or did on a day. Numbered migrations; one owner per table."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from khach.environment import Environment
from khach.errors import BusyError, KhachError

MIGRATIONS = Path(__file__).parent / "migrations"
# Of a new file, as in profiles.yml; an older file keeps its own.
_NEW_FILE: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "v1.5.0"
}
_NUMBERED = re.compile(r"([0-9]{4})_.+\.sql")


@contextmanager
def open_state(
    env: Environment, *, wait_seconds: float = 10.0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-write connection to the state file, migrated, closed at the end of the block.

    Open late and close early: dbt is another process and needs the file too.
    Raises BusyError when another process keeps the file longer than `wait_seconds`, KhachError
    when the file was written by a newer release.
    """
    env.home.mkdir(parents=True, exist_ok=True)
    connection = connect(env.state, wait_seconds=wait_seconds)
    try:
        connection.execute("set timezone = 'UTC'")
        migrate(connection)
        yield connection
    finally:
        connection.close()


def connect(
    path: Path, *, read_only: bool = False, wait_seconds: float = 10.0
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, waiting for a holder to let go; BusyError names the file."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(
                str(path), read_only=read_only, config={} if read_only else _NEW_FILE
            )
        except duckdb.IOException as problem:
            if "lock" not in str(problem):
                raise
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"{path.name} is held by {_holder(str(problem))}",
                    file=path,
                    fix="wait for it to end, or stop it; `khach doctor` shows who holds what",
                ) from None
        time.sleep(0.1)


def migrate(connection: duckdb.DuckDBPyConnection) -> int:
    """Bring a state file to the newest version; each step is one transaction. Returns the version.

    Raises KhachError when the file's version is newer than this release knows.
    """
    connection.execute(
        "create table if not exists schema_versions (version integer primary key, "
        "applied_at timestamp not null)"
    )
    steps = _migrations()
    row = connection.execute("select coalesce(max(version), 0) from schema_versions").fetchone()
    present = int(row[0]) if row else 0
    if present > max(steps, default=0):
        raise KhachError(
            f"the state file is of version {present}, newer than this release",
            fix="use the release that wrote it, or restore a backup made before the upgrade",
        )
    for version in sorted(number for number in steps if number > present):
        connection.execute("begin")
        connection.execute(steps[version].read_text(encoding="utf-8"))
        connection.execute(
            f"insert into schema_versions values ({version}, now()::timestamp)",
        )
        connection.execute("commit")
    return max(steps, default=0)


def _migrations() -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(MIGRATIONS.glob("*.sql")):
        if match := _NUMBERED.fullmatch(path.name):
            number = int(match.group(1))
            if number in found:
                raise KhachError(f"two migrations are numbered {number}", file=path)
            found[number] = path
    return found


def _holder(message: str) -> str:
    match = re.search(r"PID ([0-9]+)", message)
    return f"process {match.group(1)}" if match else "another process"
