"""What people decide about identity: blocked values and review answers, written to the ledger.

A decision takes effect when the next run resolves again; the ledger is append-only, so the last
word counts and nothing is ever forgotten.
"""

from contextlib import closing
from typing import Any

import duckdb
import pyarrow as pa

from khach import clock
from khach.contacts import parse_email, parse_phone
from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from khach.identity_settings import load_identity_settings
from khach.lock import run_lock
from khach.runs import new_run_id
from khach.settings import load_settings
from khach.state import connect, open_state

TYPES = ("user_id", "member_number", "external_id", "email", "phone", "anonymous_id", "device_id")


def decide_value(
    env: Environment, kind: str, value: str, *, namespace: str | None, is_blocked: bool, why: str
) -> dict[str, Any]:
    """Block a value, or let it link again; what was recorded, and how many customers it ties.

    Raises ConfigError for a value that is none of its type, or that no source has shown.
    """
    from identity.decisions import blocked, unblocked

    matched = _matched(env, kind, value)
    with run_lock(env, "identity block"):
        known = _known(env, kind, matched, namespace)
        keys = pa.table({
            "identifier_type": [kind] * len(known),
            "namespace": [row[0] for row in known],
            "identifier_value": [matched] * len(known),
        })  # fmt: skip
        make = blocked if is_blocked else unblocked
        _append(env, lambda last: make(keys, rule=why, last_event_number=last))
    return {
        "identifier_type": kind,
        "namespaces": [row[0] for row in known],
        "event": "blocked" if is_blocked else "unblocked",
        "reason": why,
        "effect": "with the next run",
    }


def open_questions(env: Environment) -> list[dict[str, Any]]:
    """Pairs that nobody has answered, the most probable first, with what each record says."""
    with closing(_open_warehouse(env)) as connection:
        state = str(env.state).replace("'", "''")
        connection.execute(f"attach '{state}' as state (read_only)")
        result = connection.execute(_QUESTIONS)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def answer(env: Environment, left: str, right: str, *, is_accepted: bool) -> None:
    """Remember that two records (keys as `open_questions` gives them) are one person, or not.

    Raises ConfigError for what is no key, or one that no source has shown.
    """
    from identity.decisions import reviewed

    one, other = (_record(key) for key in (left, right))
    _require_known(env, left, right)
    pair = pa.table({
        "left_source": [one[0]], "left_record_id": [one[1]],
        "right_source": [other[0]], "right_record_id": [other[1]],
        "is_accepted": [is_accepted],
    })  # fmt: skip
    with run_lock(env, "identity review"):
        _append(env, lambda last: reviewed(pair, last_event_number=last))


def _record(key: str) -> tuple[str, str]:
    """Where a record stands (type and namespace), and its number there."""
    parts = key.split("|", 2)
    if len(parts) != 3:
        raise ConfigError("this is no key", fix="type, namespace, value: 'user_id|web_shop|U5'")
    return "|".join(parts[:2]), parts[2]


def _require_known(env: Environment, *keys: str) -> None:
    """A mistyped key would be remembered, and change nothing."""
    with closing(_open_warehouse(env)) as connection:
        for place, key in zip(("first", "second"), keys, strict=True):
            found = connection.execute(
                "select 1 from identity.identity_nodes "
                "where identifier_type || '|' || namespace || '|' || identifier_value = ?",
                [key],
            ).fetchone()
            if not found:
                raise ConfigError(
                    f"no source has shown the {place} key",
                    fix="type|namespace|value; the namespace is the source's of sources.yml, "
                    "and none for email and phone: 'email||lan@example.vn'",
                )


def _open_warehouse(env: Environment) -> duckdb.DuckDBPyConnection:
    if not env.warehouse.exists():
        raise KhachError("no customer is resolved yet", fix="khach run")
    return connect(env.warehouse, read_only=True)


def _matched(env: Environment, kind: str, value: str) -> str:
    """The value as it is matched."""
    if kind not in TYPES:
        raise ConfigError(f"{kind!r} is no type of identifier", fix=f"one of {', '.join(TYPES)}")
    parsed: str | None = value.strip()
    if kind == "email":
        parsed = _matched_email(env, parse_email(value))
    elif kind == "phone":
        parsed = parse_phone(value, load_settings(env).default_country)
    if not parsed:
        raise ConfigError(f"this is no {kind}", fix="write it as people do, in quotes")
    return parsed


def _matched_email(env: Environment, address: str | None) -> str | None:
    """As the macro of that name has it."""
    local, _, domain = (address or "").partition("@")
    if domain in ("gmail.com", "googlemail.com") and load_identity_settings(env).gmail_rules:
        return f"{local.partition('+')[0].replace('.', '')}@gmail.com"
    return address


def _known(env: Environment, kind: str, value: str, namespace: str | None) -> list[tuple[str]]:
    """The namespaces in which a value was seen, or the one asked for."""
    with closing(_open_warehouse(env)) as connection:
        found = connection.execute(
            "select distinct namespace from identity.identity_nodes where identifier_type = ? "
            "and identifier_value = ? and namespace = coalesce(?, namespace) order by 1",
            [kind, value, namespace],
        ).fetchall()
    if not found:
        raise ConfigError(f"no source has shown this {kind}", fix="khach customer finds people")
    if len(found) > 1:
        raise ConfigError(
            f"several sources number people so: {', '.join(row[0] for row in found)}",
            fix="add --namespace NAME",
        )
    return found


def _append(env: Environment, make: Any) -> None:
    """Append events to the ledger, numbered on from its last, in one transaction."""
    with open_state(env) as state:
        try:
            last = state.execute(
                "select coalesce(max(event_number), 0) from identity_ledger"
            ).fetchall()[0][0]
        except duckdb.CatalogException:
            raise KhachError("no customer is resolved yet", fix="khach run") from None
        events = make(last)  # noqa: F841  DuckDB reads it by name
        state.execute(
            "insert into identity_ledger by name select *, "
            "'E' || lpad(event_number::varchar, 9, '0') as event_id, ? as run_id, "
            "?::timestamp as happened_at from events",
            [new_run_id("h"), clock.now(env).replace(tzinfo=None)],
        )


_QUESTIONS = """
with customers as (
    select
        identifier_type || '|' || namespace || '|' || identifier_value as holder_key, customer_id
    from identity.identity_map
)
select
    pairs.left_key, pairs.right_key, round(pairs.probability, 4) as probability, pairs.evidence,
    one.full_name as left_name, other.full_name as right_name,
    one.birth_date_text as left_birth_date, other.birth_date_text as right_birth_date,
    one.email as left_email, other.email as right_email,
    one.phone as left_phone, other.phone as right_phone,
    one.address as left_address, other.address as right_address,
    one.province as left_province, other.province as right_province
from identity.identity_likely_pairs as pairs
inner join identity.identity_match_records as one on pairs.left_key = one.record_key
inner join identity.identity_match_records as other on pairs.right_key = other.record_key
left join identity.identity_reviewed as reviewed
    on least(pairs.left_key, pairs.right_key) = least(reviewed.left_key, reviewed.right_key)
    and greatest(pairs.left_key, pairs.right_key) = greatest(reviewed.left_key, reviewed.right_key)
left join customers as left_customer on pairs.left_key = left_customer.holder_key
left join customers as right_customer on pairs.right_key = right_customer.holder_key
where not pairs.is_link
    and reviewed.left_key is null
    and left_customer.customer_id is distinct from right_customer.customer_id
order by pairs.probability desc, pairs.left_key, pairs.right_key
"""
