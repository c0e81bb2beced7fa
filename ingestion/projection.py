"""SQL that turns delivered columns into an entity's typed columns, or into a reason to refuse.

Nothing is rounded or guessed: what does not fit the entity's type exactly makes the row a
quarantined one. Reasons show shapes of values only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from ingestion.casts import is_rounded
from ingestion.parquet import literal, quote
from ingestion.spec import DUCKDB_TYPES

_HAS_OFFSET = r"\d{1,2}:\d{2}.*(Z|z|[+-]\d{2}(:?\d{2})?)\s*$"
_YEAR = r"^\s*\d{4}"
_DECIMAL = re.compile(r"DECIMAL\(([0-9]+),([0-9]+)\)")
_SMALL = ("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER")
_FITTING = {"i": (*_SMALL, "BIGINT"), "n": _SMALL, "b": ("BOOLEAN",)}
# What a calendar has. BETWEEN computes the value once; a date stays one, or it may not fit a time.
_CALENDAR = {
    "t": "timestamp '0001-01-01' and timestamp '9999-12-31 23:59:59.999999'",
    "d": "date '0001-01-01' and date '9999-12-31'",
}
_WORDS = {
    "t": "a timestamp", "d": "a date", "i": "a whole number", "b": "true or false",
    "v": "text in UTF-8", "j": "text in UTF-8",
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A target column: its type letter, its SQL, and tests of its own that refuse the row."""

    name: str
    letter: str
    sql: str
    failures: Sequence[str] = ()


def typed_query(
    connection: duckdb.DuckDBPyConnection,
    *,
    relation: str,
    targets: Sequence[Target],
    required: Sequence[str],
    is_kept: str,
    carried: Sequence[str],
    time_zone: str,
    is_deleted: str | None = None,
) -> str:
    """A query of the typed targets, `carried` columns, flags, and `_problem` (null = good).

    `relation` is SQL in parentheses or a table, with `_malformed`, which is carried; `is_kept` and
    `is_deleted` are boolean expressions over it. A tombstone keeps its key (the first target) and
    `updated_at`, which it must have where the column is filled; no filter refuses it. A row that is
    kept must have what is `required`, of which blanks are nothing; every other one its key.
    """
    raw = ", ".join(f"({target.sql}) as {quote(target.name)}" for target in targets)
    dropped = {t.name for t in targets[1:] if t.name != "updated_at"} if is_deleted else set()
    deleted = f"coalesce(({is_deleted}), false)" if is_deleted else "cast(null as boolean)"
    kept = ", ".join(quote(column) for column in carried)
    is_kept = f"{deleted} or coalesce(({is_kept}), false)" if is_deleted else f"({is_kept})"
    inner = (
        f"select {raw}, {kept}, coalesce({is_kept}, false) as _is_kept, "
        f"{deleted} as _is_deleted, {_cast_problem(targets, dropped, deleted)} as _cast_problem "
        f"from {relation}"
    )
    types = _types(connection, inner)
    values = ", ".join(
        f"{_unless_deleted(_value(target, types[target.name], time_zone), target.name in dropped)}"
        f" as {quote(target.name)}"
        for target in targets
    )
    problems = [
        _unless_deleted(problem, target.name in dropped)
        for target in targets
        if (problem := _problem(target, types[target.name], time_zone))
    ]
    reasons = ", ".join(
        [
            "_malformed",
            "_cast_problem",
            *problems,
            *(_missing(name, types[name], is_key=name == targets[0].name) for name in required),
            *_undated(targets, bool(is_deleted)),
        ]
    )
    return (
        f"select {values}, {kept}, _is_kept, _is_deleted, coalesce({reasons}) as _problem "
        f"from ({inner}) as raw"
    )


def _cast_problem(targets: Sequence[Target], dropped: Collection[str], deleted: str) -> str:
    """Which expression fails, unless the row is a tombstone without the column."""
    failed = " ".join(
        f"when {test}{f' and not {deleted}' if target.name in dropped else ''} "
        f"then {literal(f'{target.name}: the expression fails on a value')}"
        for target in targets
        for test in target.failures
    )
    return f"case {failed} end" if failed else "cast(null as varchar)"


def _missing(name: str, type_: str, *, is_key: bool) -> str:
    """A case that says that a row lacks a value."""
    column = f"raw.{quote(name)}"
    is_missing = f"trim({column}) = ''" if type_ == "VARCHAR" else "false"
    is_missing = f"({column} is null or {is_missing})"
    if not is_key:
        is_missing += " and raw._is_kept and not coalesce(raw._is_deleted, false)"
    return f"case when {is_missing} then {literal(f'{name} is missing')} end"


def _undated(targets: Sequence[Target], has_tombstones: bool) -> list[str]:
    if not has_tombstones or all(t.name != "updated_at" or t.sql == "null" for t in targets):
        return []
    return [
        "case when raw._is_deleted and raw.updated_at is null "
        "then 'updated_at is missing: when was this deleted?' end"
    ]


def _unless_deleted(sql: str, is_dropped: bool) -> str:
    return f"case when not raw._is_deleted then {sql} end" if is_dropped else sql


def _types(connection: duckdb.DuckDBPyConnection, query: str) -> Mapping[str, str]:
    rows = connection.execute(f"describe {query}").fetchall()
    return {str(name): str(type_) for name, type_, *_ in rows}


def _value(target: Target, type_: str, time_zone: str) -> str:
    column = f"raw.{quote(target.name)}"
    if target.letter in ("v", "j"):
        return _text(column, type_)
    if target.letter == "t":
        return _timestamp(column, type_, time_zone)
    if target.letter == "d" and type_ == "TIMESTAMP WITH TIME ZONE":
        return f"cast(timezone({literal(time_zone)}, {column}) as date)"
    return f"try_cast({column} as {DUCKDB_TYPES[target.letter]})"


def _text(column: str, type_: str) -> str:
    if type_.startswith(("STRUCT", "MAP")) or type_.endswith("]"):
        return f"cast(to_json({column}) as varchar)"
    if type_ == "BLOB":  # as Hive and Impala write texts into Parquet
        return f"try(decode({column}))"
    if type_ in ("DOUBLE", "FLOAT"):  # as pandas writes whole numbers of which some are missing
        whole = f"try_cast({column} as bigint)"
        return (
            f"case when {column} = {whole} then cast({whole} as varchar) "
            f"else cast({column} as varchar) end"
        )
    return f"cast({column} as varchar)"


def _timestamp(column: str, type_: str, time_zone: str) -> str:
    """UTC: an offset in the value wins; without one it is a local time of the source."""
    if type_ == "TIMESTAMP WITH TIME ZONE":
        # Not a cast, which asks a calendar for every value; null for an infinity.
        return f"make_timestamp(epoch_us({column}))"
    local = f"try_cast({column} as timestamp)"
    if time_zone != "UTC":
        local = f"cast(timezone({literal(time_zone)}, {local}) as timestamp)"
    if type_ != "VARCHAR":
        return local
    # As many systems write it: 2026-01-02 10:00:00 +0700, 2026-01-02 10:00+07:00.
    spelt = f"regexp_replace({column}, '([T ]\\d{{1,2}}:\\d{{2}})\\s*([+-]\\d{{2}})', '\\1:00\\2')"
    spelt = f"regexp_replace({spelt}, '\\s+([+-]\\d{{2}}:?(\\d{{2}})?)\\s*$', '\\1')"
    offered = f"coalesce(try_cast({column} as timestamptz), try_cast({spelt} as timestamptz))"
    instant = f"cast({offered} as timestamp)"
    has_offset = f"regexp_matches({column}, {literal(_HAS_OFFSET)})"
    # What most systems write, six times as fast as the way with a time zone.
    is_utc = f"suffix({column}, 'Z') then try_cast({column} as timestamp)"
    return f"case when {is_utc} when {has_offset} then {instant} else {local} end"


def _problem(target: Target, type_: str, time_zone: str) -> str | None:
    """A case expression that names the refused value's shape, or None when nothing can fail."""
    is_text = target.letter in ("v", "j") and type_ != "BLOB"
    if is_text or target.sql == "null" or _always_fits(target.letter, type_):
        return None
    column = f"raw.{quote(target.name)}"
    value = _value(target, type_, time_zone)
    bad = f"{value} is null"
    if target.letter in _CALENDAR:  # infinity is no time
        bad = f"not coalesce({value} between {_CALENDAR[target.letter]}, false)"
        if type_ == "VARCHAR":  # 05/03/24 would be a day of the year 5
            usual = _CALENDAR[target.letter].replace("0001", "1000", 1)
            has_year = f"regexp_matches({column}, {literal(_YEAR)})"
            # A case, so that only the few that are not usual are looked at again.
            bad = f"case when {value} between {usual} then false else {bad} or not {has_year} end"
    if target.letter in ("n", "i"):
        if type_ == "VARCHAR":
            bad = f"({bad} or {is_rounded(column, value)})"
        elif type_.startswith("DECIMAL"):
            bad = f"({bad} or try_cast({value} as {type_}) is distinct from {column})"
        elif target.letter == "i" and type_ in ("DOUBLE", "FLOAT"):
            bad = f"({bad} or {value} != {column})"
        elif type_ == "DOUBLE":  # what a sum of doubles adds at the end is no decimal
            off = f"abs(cast({value} as double) - {column})"
            bad = f"({bad} or {off} > 1e-9 * greatest(1, abs({column})))"
    words = _WORDS.get(target.letter, "a number with at most 4 decimals")
    return (
        f"case when {column} is not null and {bad} then {literal(target.name + ': ')} || "
        f"{_shape(column)} || {literal(f' is not {words}')} end"
    )


def _always_fits(letter: str, type_: str) -> bool:
    """Whether no value of a declared type can be one that the letter cannot hold."""
    if size := _DECIMAL.fullmatch(type_):
        digits, scale = int(size[1]), int(size[2])
        return letter == "n" and scale <= 4 and digits - scale <= 14
    return type_ in _FITTING.get(letter, ())


def _shape(column: str) -> str:
    letters = f"regexp_replace(cast({column} as varchar), '\\p{{L}}', 'a', 'g')"
    return f"left(regexp_replace({letters}, '\\p{{N}}', '9', 'g'), 24)"
