"""Who should be in the channel now: every candidate of an audience with a payload or ONE reason.

Set-based in DuckDB over the published marts. Leaves the temporary table `desired`, one row per
candidate: customer_id, identifier, identifier_hash, remote_id, reason_code (null: goes out),
consent_id, holdout_group, offer_code, payload_hash. Row order does not matter.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import duckdb

from activation.audience_file import Audience, Sync
from activation.audiences import Book
from activation.fields import build_offer_codes
from activation.identifiers import IDENTIFIERS, normal_sql
from activation.ledger import Inputs
from activation.payloads import Payload
from activation.permissions import (
    build_holders,
    build_permissions,
    build_shared,
    build_suppressed,
)
from activation.policy import Policy
from activation.rules import set_as_of
from activation.seeds import IS_SEED

SALT_VERSION = 1
# Every reason, the first that applies first, in words (English, Vietnamese).
REASON_WORDS = {
    "under_age": ("too young", "chưa đủ tuổi"),
    "suppressed": ("on the list of people nobody may contact", "trong danh sách không liên hệ"),
    "consent_withdrawn": ("withdrew their consent", "đã rút lại sự đồng ý"),
    "no_consent": ("never gave their consent", "chưa đồng ý nhận tin"),
    "no_identifier": ("no address or number for this channel", "không có địa chỉ hoặc số"),
    "invalid_identifier": ("the address or number is not valid", "địa chỉ hoặc số không hợp lệ"),
    "lower_priority_audience": ("in an audience that goes first", "thuộc nhóm được ưu tiên hơn"),
    "holdout": ("held out, to measure the effect", "nhóm đối chứng, không gửi"),
    "duplicate_identifier": ("somebody else has the same one", "trùng với khách hàng khác"),
}
REASONS = tuple(REASON_WORDS)


def build_desired(
    connection: duckdb.DuckDBPyConnection,
    book: Book,
    audience: Audience,
    sync: Sync,
    *,
    policy: Policy,
    as_of: datetime,
    time_zone: str,
    inputs: Inputs,
    payload: Payload,
) -> None:
    """Create `desired`. `inputs` is what state records of this audience and sync.

    `as_of` is naive UTC. Ages are counted on the earlier of its UTC and its business day, so that
    nobody is of age here who is not everywhere.
    """
    set_as_of(connection, as_of)
    connection.register("holdouts_told", inputs.holdouts)
    # Who was held out under an id that has gone up in another is held out still.
    connection.execute(
        "create temp table holdout_record as select coalesce(current_customer_id, customer_id) as "
        'customer_id, min("group") as "group" from holdouts_told left join customer_survivors '
        "using (customer_id) group by all"
    )
    connection.register("acknowledged", inputs.acknowledged)
    connection.register("suppression", policy.suppressions)
    local = as_of.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(time_zone))
    day = min(as_of.date(), local.date())
    age = max(audience.min_age, policy.minimum_age)
    connection.execute(
        f"create temp macro is_minor(birth_date, birth_year) as coalesce(birth_date > date '{day}'"
        f" - interval {age} year, {day.year} - birth_year - 1 < {age}, false)"
    )
    members = _members_sql(book, audience)
    build_offer_codes(connection, audience, sync, inputs, as_of, members=members)
    _build_candidates(connection, book, audience, sync, payload)
    build_suppressed(connection, sync, is_list_empty=not policy.suppressions.num_rows)
    build_shared(connection, sync)
    build_permissions(connection, audience, sync)
    build_holders(connection)
    _build_reasons(connection, audience, sync)
    _build_desired(connection, sync)


def membership_sql(book: Book, audience: Audience) -> str:
    """Whether a row of customers is a candidate of the audience: its rule and its exclusions."""
    excluded = [f"and not {_rule_sql(book, book[name])}" for name in audience.exclude]
    return " ".join([_rule_sql(book, audience), *excluded])


def _members_sql(book: Book, audience: Audience) -> str:
    return f"({membership_sql(book, audience)} and is_test is not true or {IS_SEED})"


def _rule_sql(book: Book, audience: Audience) -> str:
    if audience.model is not None:
        return f"(customer_id in (select customer_id from {audience.model}))"
    return f"(({book.rules[audience.name].sql}) is true)"


def _build_candidates(
    connection: duckdb.DuckDBPyConnection,
    book: Book,
    audience: Audience,
    sync: Sync,
    payload: Payload,
) -> None:
    wins = [
        membership_sql(book, other)
        for other in book.values()
        if other.priority < audience.priority
        and any(s.channel == sync.channel for s in other.syncs)
    ]
    identifier = IDENTIFIERS[sync.consent]
    normal = normal_sql("sent_to", "email" if "email" in identifier.types else "")
    connection.execute(
        f"""
        create temp table candidate as
        select
            customer_id,
            nullif({normal}, '') as identifier,
            sha256(identifier) as identifier_hash,
            {payload.hash_sql("identifier")} as payload_hash,
            is_minor(birth_date, birth_year) as is_minor,
            ({" or ".join(wins) or "false"}) as is_lower_priority,
            offer_code
        from (select customers.*, {identifier.value_sql} as sent_to from customers) as customers
        left join offer_code using (customer_id)
        where {_members_sql(book, audience)}
        """
    )


def _build_reasons(connection: duckdb.DuckDBPyConnection, audience: Audience, sync: Sync) -> None:
    """`reasoned`: the first reason that applies; the holdout is drawn among the rest."""
    pattern = IDENTIFIERS[sync.consent].pattern
    connection.execute(
        f"""
        create temp table judged as
        select
            candidate.*,
            permission.consent_id,
            own.customer_id is not null or coalesce(others.has_record, false) as has_record,
            coalesce(own."group" = 'holdout', false) or coalesce(others.has_holdout, false)
                as has_holdout,
            others.other_ids,
            case
                when is_minor or has_minor then 'under_age'
                when has_suppressed
                    or candidate.customer_id in (select customer_id from suppressed)
                    then 'suppressed'
                when permission.is_granted = false or has_withdrawal then 'consent_withdrawn'
                when permission.is_granted is null or is_permitted_by_all = false
                    then 'no_consent'
                when candidate.identifier is null then 'no_identifier'
                when not regexp_full_match(candidate.identifier, '{pattern}')
                    then 'invalid_identifier'
                when is_lower_priority and not starts_with(candidate.customer_id, 'seed:')
                    then 'lower_priority_audience'
            end as reason_code
        from candidate
        left join permission on candidate.customer_id = permission.customer_id
        left join holdout_record as own on candidate.customer_id = own.customer_id
        left join other_holders as others on candidate.customer_id = others.customer_id
        """
    )
    salt = f"khach-{SALT_VERSION}:{audience.name}:"
    # Nothing is drawn where nobody is held out.
    draw = f"cast('0x' || sha256('{salt}' || customer_id)[1:13] as ubigint) / 16.0 ** 13"
    is_drawn = f"{draw} < {audience.holdout}" if audience.holdout else "false"
    connection.execute(
        f"""
        create temp table drawn_now as
        select customer_id from judged
        where reason_code is null and not has_record and {is_drawn} and not {IS_SEED}
        """
    )
    connection.execute(
        """
        create temp table drawn as
        with held_out as (
            select customer_id from drawn_now
            union
            -- Whoever holds an address that is held out by somebody else's draw.
            select customer_id from (select customer_id, unnest(other_ids) as other from judged)
            where other in (select customer_id from drawn_now)
        )
        select
            identifier_hash as drawn_hash,
            bool_or(has_holdout or customer_id in (select customer_id from held_out))
                as is_shared_held_out,
            -- The one who carries the identifier now keeps it; else the lowest id.
            arg_min(
                customer_id,
                if(customer_id in (select customer_id from acknowledged), '0', '1') || customer_id
            ) as carrier_id
        from judged
        where reason_code is null and other_ids is not null
        group by identifier_hash
        """
    )


def _build_desired(connection: duckdb.DuckDBPyConnection, sync: Sync) -> None:
    """`desired`. Whose identifier nobody else holds carries it; `drawn` has the others."""
    connection.execute(
        f"""
        create temp table desired as
        with decided as (
            select
                judged.*,
                drawn_now.customer_id is not null as is_drawn,
                coalesce(is_shared_held_out, has_holdout or is_drawn) as is_held_out,
                coalesce(carrier_id, judged.customer_id) as carrier_id
            from judged
            left join drawn on judged.identifier_hash = drawn_hash
            left join drawn_now on judged.customer_id = drawn_now.customer_id
        )
        select
            customer_id,
            identifier,
            identifier_hash,
            {sync.capabilities.remote_id_sql} as remote_id,
            consent_id,
            case
                when reason_code is not null then reason_code
                when is_held_out then 'holdout'
                when customer_id <> carrier_id then 'duplicate_identifier'
            end as reason_code,
            -- Who is held out for another's sake only is in neither group.
            case
                when is_drawn then 'holdout'
                when reason_code is null and not is_held_out then 'treated'
            end as holdout_group,
            offer_code,
            payload_hash
        from decided
        """
    )
