"""An earlier day again: `khach run --as-of DAY [--known-at TIME]`.

A replay is built in a home of its own, `$KHACH_HOME/replay/<day>/`, from the same lake and a copy
of what state said: it writes nothing that the present reads. Without `--known-at` it is what we
know today about that day; with it, loads, identity, segments and configuration are as they were
known at that moment, so that the day's published figures come out again.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from khach.clock import end_of_day
from khach.environment import Environment
from khach.errors import ConfigError
from khach.publishing import publish
from khach.runs import sortable
from khach.settings import load_settings
from khach.state import connect, open_state


@dataclass(frozen=True)
class Replay:
    """What a replay is built in, and what it shows: times are aware UTC."""

    env: Environment
    as_of: datetime
    known_at: datetime | None


def prepare(env: Environment, day: date, known_at: datetime | None = None) -> Replay:
    """A home for the replay of a day, made anew; the caller holds the run lock of `env`.

    Raises ConfigError when nothing was known yet at that time.
    """
    home = env.replays / day.isoformat()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    inner = replace(env, home=home, config=home / "config", lake_home=env.lake_home or env.home)
    moment = known_at or datetime.now(UTC)
    with open_state(env) as state:  # migrated, if an older release wrote it
        as_of = _observed_until(state, env, day, known_at)
    with open_state(inner):
        pass  # empty, of the same version
    with _both(env, inner) as states:
        _copy_state(states, moment, as_of, ZoneInfo(load_settings(env).business_time_zone))
        _write_configuration(states, env, inner, is_dated=known_at is not None)
    return Replay(inner, as_of, known_at)


def publish_replay(done: Replay, run_id: str) -> Path:
    """Copy the marts into the replay's own `published`; its folder."""
    publish(done.env, run_id, done.as_of)
    return done.env.current


def moment_of(text: str, time_zone: str) -> datetime:
    """`--known-at` as an instant; a time without an offset is of the business time zone.

    Raises ConfigError when it is no time, or lies ahead.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--known-at {text!r} is no time", fix="write it as 2026-06-30T09:00 or with an offset"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(time_zone))
    if moment > datetime.now(UTC):
        raise ConfigError("--known-at lies in the future; nothing was run")
    return moment.astimezone(UTC)


def _observed_until(
    state: duckdb.DuckDBPyConnection, env: Environment, day: date, known_at: datetime | None
) -> datetime:
    """The end of the day, or, with `known_at`, of what readers then had of that day.

    A run at two in the morning has seen two hours of the next day: the snapshot that was current
    at `known_at` says how far it saw.
    """
    over = end_of_day(day, load_settings(env).business_time_zone)
    if known_at is None:
        return over
    row = state.execute(
        "select as_of from snapshots where published_at <= ? order by published_at desc limit 1",
        [known_at.replace(tzinfo=None)],
    ).fetchone()
    seen = row[0].replace(tzinfo=UTC) if row else over
    one_day = timedelta(days=1)
    return seen if over - one_day < seen < over + one_day else over


@contextmanager
def _both(env: Environment, inner: Environment) -> Iterator[duckdb.DuckDBPyConnection]:
    """Both state files in one connection: the replay's own, and the present one as `past`."""
    connection = connect(inner.state)
    try:
        connection.execute("set timezone = 'UTC'")
        present = str(env.state).replace("'", "''")
        connection.execute(f"attach '{present}' as past (read_only)")
        yield connection
    finally:
        connection.close()


# What was known by $known (naive UTC, the clock on the wall) of days up to $as_of. Ids of runs
# say when the run began; a decision by hand of an older release has none.
_KNOWN = {
    "loads": """
        select loads.source, loads.load_id, loads.landed_at, said.verdict, said.judged_at,
            said.judged_by, said.reason
        from past.loads as loads
        inner join past.verdicts as said using (source, load_id)
        where said.judged_at <= $known
        qualify row_number() over (
            partition by loads.source, loads.load_id order by said.judged_at desc
        ) = 1
    """,
    "load_tables": "select * from past.load_tables semi join loads using (source, load_id)",
    "schema_changes": "select * from past.schema_changes semi join loads using (source, load_id)",
    "configuration_versions": """
        select * from past.configuration_versions where first_seen_at <= $known
    """,
    "call_list_entries": "select * from past.call_list_entries where listed_at <= $as_of",
    "holdouts": "select * from past.holdouts where assigned_at <= $as_of",
    "messages": "select * from past.messages where sent_at <= $as_of",
    "offer_codes": "select * from past.offer_codes where valid_from <= $as_of",
    "sync_plans": "select * from past.sync_plans where as_of <= $as_of and created_at <= $known",
    "sync_plan_rows": """
        select * from past.sync_plan_rows semi join sync_plans using (plan_id)
        where offer_code is not null
    """,
    "sync_receipts": """
        select * from past.sync_receipts semi join sync_plans using (plan_id)
        where attempted_at <= $known
    """,
}
# Tables that dbt makes. A history of an older release, without ids of runs, is begun anew.
_LEDGERS = {
    "identity_ledger": """
        select * from past.identity_ledger
        where case when run_id = 'by hand' then happened_at <= $as_of
            else substr(run_id, 2) <= $stamp end
    """,
    "segment_history": """
        select * from past.segment_history
        where changed_on <= $day and coalesce(substr(run_id, 2) <= $stamp, true)
    """,
}


def _copy_state(
    states: duckdb.DuckDBPyConnection, known_at: datetime, as_of: datetime, zone: ZoneInfo
) -> None:
    """Fill the replay's state with what was known.

    Raises ConfigError when no load was accepted by then.
    """
    known = known_at.astimezone(UTC).replace(tzinfo=None)
    values = {
        "known": known,
        "stamp": sortable(known),
        "as_of": as_of.astimezone(UTC).replace(tzinfo=None),
        "day": as_of.astimezone(zone).date(),
    }
    made = {
        row[0]
        for row in states.execute(
            "select table_name from duckdb_columns() "
            "where database_name = 'past' and column_name = 'run_id'"
        ).fetchall()
    }
    for table, sql in _KNOWN.items():
        _execute(states, f"insert into {table} by name {sql}", values)
    for table, sql in _LEDGERS.items():
        if table in made:
            _execute(states, f"create table {table} as {sql}", values)
    found = states.execute("select count(*) from loads where verdict = 'accepted'").fetchone()
    if not found or not found[0]:
        raise ConfigError(
            "no load was accepted by then; nothing was run", fix="khach loads says when each was"
        )


def _execute(states: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, object]) -> None:
    """DuckDB refuses a value that the statement does not name."""
    states.execute(sql, {key: value for key, value in values.items() if f"${key}" in sql})


def _write_configuration(
    states: duckdb.DuckDBPyConnection, env: Environment, inner: Environment, *, is_dated: bool
) -> None:
    """The configuration as it was known, else as it is."""
    shutil.copytree(env.config, inner.config)
    if not is_dated:
        return
    versions = states.execute(
        "select name, max_by(content, first_seen_at) from configuration_versions group by name"
    ).fetchall()
    for name, content in versions:
        file = inner.config / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
