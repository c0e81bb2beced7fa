"""What a row carries: columns and texts as the channel wants them, with offer codes filled in."""

from datetime import datetime, timedelta

import duckdb

from activation.audience_file import Audience, Sync
from activation.ledger import Inputs
from activation.policy import ADVERTISING_PURPOSES, PolicyFile
from activation.templates import quoted, template_sql, uses_offer

_CODE_LENGTH = 10


def field_values(audience: Audience, sync: Sync, policy: PolicyFile) -> dict[str, str]:
    """Field name -> SQL text over `customers` and `offer_code`; '' where a customer has none."""
    formats = sync.capabilities.field_sql or {}
    values = {}
    for name, text in sync.fields.items():
        value = _value_sql(audience, sync, policy, name, text)
        if name in formats:
            formed = formats[name].format(value=value)
            value = f"case when {value} = '' then '' else {formed} end"
        values[name] = value
    return values


def is_column(sync: Sync, text: str) -> bool:
    """Whether a field's text is the bare name of a column: only lists take whole columns."""
    return not sync.is_message and "{" not in text


def _value_sql(audience: Audience, sync: Sync, policy: PolicyFile, name: str, text: str) -> str:
    if is_column(sync, text):
        return f"coalesce(cast({text} as varchar), '')"
    value = template_sql(text, policy.fallbacks, "offer_code")
    rule = policy.advertising.get(sync.consent)  # type: ignore[call-overload]
    if not sync.is_message or name != "body" or audience.purpose not in ADVERTISING_PURPOSES:
        return value
    return value if rule is None else _labelled(value, text, rule.label, rule.opt_out)


def _labelled(value: str, text: str, label: str, opt_out: str) -> str:
    """An advertising text begins with its label and tells how to refuse."""
    before = "" if text.startswith(label.strip()) else f"{quoted(label)} || "
    after = "" if opt_out.strip() in text else f" || {quoted(opt_out)}"
    return f"{before}{value}{after}"


def build_offer_codes(
    connection: duckdb.DuckDBPyConnection,
    audience: Audience,
    sync: Sync,
    inputs: Inputs,
    as_of: datetime,
    *,
    members: str,
) -> None:
    """`offer_code`: customer_id, offer_code of `members`, a condition on `customers`; none where
    the sync carries no code: nobody is given one who is not told.

    Who has a valid code keeps it; the others' new one is drawn from a secret of this installation,
    so that it is the same until it is handed out.
    """
    texts = [text for text in sync.fields.values() if "{" in text]
    if audience.offer is None or not any(uses_offer(text) for text in texts):
        connection.execute("create temp table offer_code (customer_id varchar, offer_code varchar)")
        return
    connection.register("codes_told", inputs.offer_codes)
    connection.execute(
        f"""
        create temp table offer_code as
        with held as (
            select
                coalesce(current_customer_id, customer_id) as customer_id,
                arg_max(offer_code, (valid_until, offer_code)) as offer_code
            from codes_told
            left join customer_survivors using (customer_id)
            where valid_until > $as_of
            group by all
        )
        select
            customer_id,
            coalesce(
                held.offer_code,
                '{audience.offer.prefix}-' || translate(upper(sha256(
                    $secret || '{audience.name}/' || customer_id || '/' || $day
                )[1:{_CODE_LENGTH}]), '01', 'XY')
            ) as offer_code
        from customers
        left join held using (customer_id)
        where {members}
        """,
        {"as_of": as_of, "secret": inputs.secret, "day": f"{as_of:%Y%m%d%H}"},
    )


def offer_end(audience: Audience, as_of: datetime) -> datetime:
    """When a code handed out now expires."""
    days = audience.offer.valid_days if audience.offer else 0
    return as_of + timedelta(days=days)
