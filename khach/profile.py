"""One person's profile from the published marts. Personal data: callers write it nowhere."""

from datetime import datetime
from typing import Any

import duckdb

from khach import clock
from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.errors import ConfigError
from khach.identity_settings import ATTRIBUTES
from khach.publishing import current_snapshot
from khach.readers import read_only_session

Record = dict[str, Any]

# What is still open with a person, the most urgent first. A part whose table or columns are not
# published yet is left out.
_OPEN = {
    "conversations": "select conversation_id, channel, topic, content_class, agent, opened_at, "
    "last_message_at, is_awaiting_answer from conversations where customer_id = $id "
    "and status = 'open' order by is_awaiting_answer desc, last_message_at, conversation_id",
    # A call or message outside a conversation that nothing of ours followed.
    "unanswered": "select interaction_id, channel, kind, content_class, occurred_at "
    "from interactions as asked where customer_id = $id and kind in ('call', 'message', 'reply') "
    "and direction = 'inbound' and conversation_id is null and is_answered is not true "
    "and occurred_at > $as_of - interval 30 day and not exists (from interactions as later "
    "where later.customer_id = $id and later.kind in ('call', 'message') "
    "and later.occurred_at > asked.occurred_at "
    "and (later.direction = 'outbound' or later.is_answered)) "
    "order by occurred_at, interaction_id",
    "appointments": "select interaction_id, channel, occurred_at as starts_at, outcome as status "
    "from interactions where customer_id = $id and kind = 'appointment' and occurred_at >= $as_of "
    "and coalesce(outcome, '') not in ('cancelled', 'canceled', 'done', 'completed', 'no_show') "
    "order by occurred_at, interaction_id",
    "orders": "select order_id, channel, status, ordered_at, gross_amount from orders "
    "where customer_id = $id and status in ('pending', 'paid') order by ordered_at, order_id",
    "carts": "select cart_id, last_activity_at, item_count, cart_amount, last_product_name "
    "from carts where customer_id = $id and order_id is null and item_count > 0 "
    "and last_activity_at > $as_of - interval 30 day order by last_activity_at desc, cart_id",
    "leads": "select lead_id, stage, lead_score, created_at, contacted_at, expected_close_on "
    "from leads where customer_id = $id and outcome is null order by created_at, lead_id",
}

# What is shown beside the row of `customers`.
_PARTS = {
    "identifiers": "select identifier_type, identifier_value, source, first_seen_at, last_seen_at "
    "from customer_identifiers where customer_id = $id and valid_to is null order by all",
    "orders": "select order_id, channel, ordered_at, status, units, gross_amount, net_amount "
    "from orders where customer_id = $id order by ordered_at desc, order_id limit 20",
    "interactions": "select occurred_at, channel, direction, kind, order_id from interactions "
    "where customer_id = $id order by occurred_at desc, interaction_id limit 20",
    "conversations": "select opened_at, channel, status, topic, sentiment, closed_at "
    "from conversations where customer_id = $id "
    "order by opened_at desc, conversation_id limit 10",
    "consents": "select channel, purpose, is_granted, granted_at, withdrawn_at, evidence_source, "
    "evidence_id, text_version from consents where customer_id = $id order by all",
    "segments": "select segment_id, valid_from from segment_membership "
    "where customer_id = $id and valid_to is null order by all",
    "audiences": "select audience, sync_id, reason_code, valid_from from audience_membership "
    "where customer_id = $id and valid_to is null order by all",
    "household": "select customer_id, full_name from customers where customer_id <> $id "
    "and household_id = (select household_id from customers where customer_id = $id) order by all",
}

# Columns of `customers` that are read from an attribute's golden value.
_DERIVED = {
    "given_name": "full_name", "family_name": "full_name", "salutation_name": "full_name",
    "salutation": "gender", "generation": "birth_date",
}  # fmt: skip


def profile(env: Environment, customer_id: str) -> Record:
    """What is still open, the row of `customers`, and the newest rows of what belongs to it."""
    with read_only_session(env) as connection:
        asked = {"id": customer_id, "as_of": _as_of(env, connection)}
        head = _rows(connection, "select * from customers where customer_id = $id", asked)
        return {
            "as_of": asked["as_of"],
            "open": _all(connection, _OPEN, asked),
            "profile": head[0] if head else {"customer_id": customer_id},
        } | _all(connection, _PARTS, asked)


def explain_attribute(env: Environment, customer_id: str, attribute: str) -> list[Record]:
    """Candidate values of an attribute, the golden one first: value, source, record, rule.

    A column that is read from another attribute is explained by that one. ConfigError when it is
    no attribute that sources tell.
    """
    told = _DERIVED.get(attribute, attribute)
    if told not in ATTRIBUTES:
        raise ConfigError(
            f"no source tells an attribute {attribute!r}",
            fix=suggest(attribute, [*ATTRIBUTES, *_DERIVED]),
        )
    with read_only_session(env) as connection:
        return _rows(
            connection,
            "select attribute, value, is_golden, rule, source, record_kind, record_id, "
            "record_count, observed_at, original_value from customer_attributes "
            "where customer_id = $id and attribute = $attribute "
            "order by is_golden desc, observed_at desc nulls last, source, value",
            {"id": customer_id, "attribute": told},
        )


def _as_of(env: Environment, connection: duckdb.DuckDBPyConnection) -> datetime:
    """The end of the period that the published snapshot has seen."""
    try:
        found = connection.execute(
            "select as_of from snapshots where snapshot_id = ?", [current_snapshot(env)]
        ).fetchone()
    except duckdb.CatalogException:
        found = None
    return found[0] if found else clock.now(env).replace(tzinfo=None)


def _all(
    connection: duckdb.DuckDBPyConnection, queries: dict[str, str], asked: Record
) -> dict[str, list[Record]]:
    parts = {}
    for name, sql in queries.items():
        try:
            parts[name] = _rows(connection, sql, asked)
        except (duckdb.CatalogException, duckdb.BinderException):
            continue  # not published, or by an older release
    return parts


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, values: Record) -> list[Record]:
    wanted = {name: value for name, value in values.items() if f"${name}" in sql}
    cursor = connection.execute(sql, wanted)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
