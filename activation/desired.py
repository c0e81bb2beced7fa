"""Who should be in the channel now: every candidate of an audience with a payload or ONE reason.

Set-based in DuckDB over the published marts. Leaves the temporary table `desired`, one row per
candidate: customer_id, identifier, identifier_hash, remote_id, reason_code (null: goes out),
consent_id, holdout_group, fields (struct), offer_code, payload_hash. Row order does not matter.
"""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import duckdb

from activation.audience_file import Audience, Sync
from activation.audiences import Book
from activation.fields import build_offer_codes, field_values
from activation.identifiers import IDENTIFIERS, normal_sql
from activation.ledger import Inputs
from activation.permissions import build_holders, build_permissions, build_suppressed
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
    remote: Mapping[str, str],
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
    build_offer_codes(connection, audience, inputs, as_of)
    _build_candidates(connection, book, audience, sync, policy)
    build_permissions(connection, audience, sync)
    build_suppressed(connection, sync, is_list_empty=not policy.suppressions.num_rows)
    build_holders(connection, sync)
    _build_reasons(connection, audience, sync)
    _build_payloads(connection, sync, remote)


def field_hashes_sql(sync: Sync, remote: Mapping[str, str]) -> str:
    """A map of field name -> short hash over a row of `desired`, to name what an update changes."""
    hashes = ", ".join(
        f"'{name}': sha256(desired.customer_id || '/{name}/' || {value})[1:8]"
        for name, value in _payload_values(sync, remote, "desired").items()
    )
    return f"map {{{hashes}}}"


def _payload_values(sync: Sync, remote: Mapping[str, str], table: str) -> dict[str, str]:
    target = " ".join(f"{key}={value}" for key, value in sorted(remote.items())).replace("'", "''")
    values = {"_customer": f"{table}.customer_id", "_remote": f"'{target}'"}
    return values | {name: f"{table}.fields.{name}" for name in sorted(sync.fields)}


def membership_sql(book: Book, audience: Audience) -> str:
    """Whether a row of customers is a candidate of the audience: its rule and its exclusions."""
    excluded = [f"and not {_rule_sql(book, book[name])}" for name in audience.exclude]
    return " ".join([_rule_sql(book, audience), *excluded])


def fields_sql(sync: Sync) -> str:
    """The fields of a row of `desired` as a map of names to texts."""
    entries = ", ".join(f"'{name}': desired.fields.{name}" for name in sorted(sync.fields))
    return f"cast(map {{{entries}}} as map(varchar, varchar))"


def _rule_sql(book: Book, audience: Audience) -> str:
    if audience.model is not None:
        return f"(customer_id in (select customer_id from {audience.model}))"
    return f"(({book.rules[audience.name].sql}) is true)"


def _build_candidates(
    connection: duckdb.DuckDBPyConnection,
    book: Book,
    audience: Audience,
    sync: Sync,
    policy: Policy,
) -> None:
    wins = [
        membership_sql(book, other)
        for other in book.values()
        if other.priority < audience.priority
        and any(s.channel == sync.channel for s in other.syncs)
    ]
    values = field_values(audience, sync, policy.rules) or {"_none": "null"}
    fields = ", ".join(f"'{name}': {value}" for name, value in sorted(values.items()))
    value = IDENTIFIERS[sync.consent].value_sql
    normal = normal_sql(value, "email" if "email" in IDENTIFIERS[sync.consent].types else "")
    connection.execute(
        f"""
        create temp table candidate as
        select
            customer_id,
            nullif({normal}, '') as identifier,
            is_minor(birth_date, birth_year) as is_minor,
            ({" or ".join(wins) or "false"}) as is_lower_priority,
            {{{fields}}} as fields,
            offer_code
        from customers
        left join offer_code using (customer_id)
        where {membership_sql(book, audience)} and is_test is not true or {IS_SEED}
        """
    )


def _build_reasons(connection: duckdb.DuckDBPyConnection, audience: Audience, sync: Sync) -> None:
    """`reasoned`: the first reason that applies; the holdout is drawn among the rest."""
    pattern = IDENTIFIERS[sync.consent].pattern
    connection.execute(
        f"""
        create temp table judged as
        with hashed as (
            select candidate.*, sha256(identifier) as identifier_hash from candidate
        )
        select
            hashed.*,
            permission.consent_id,
            own.customer_id is not null or coalesce(others.has_record, false) as has_record,
            coalesce(own."group" = 'holdout', false) or coalesce(others.has_holdout, false)
                as has_holdout,
            others.other_ids,
            case
                when is_minor or has_minor then 'under_age'
                when has_suppressed
                    or hashed.customer_id in (select customer_id from suppressed)
                    then 'suppressed'
                when permission.is_granted = false or has_withdrawal then 'consent_withdrawn'
                when permission.is_granted is null or is_permitted_by_all = false
                    then 'no_consent'
                when hashed.identifier is null then 'no_identifier'
                when not regexp_full_match(hashed.identifier, '{pattern}')
                    then 'invalid_identifier'
                when is_lower_priority and not starts_with(hashed.customer_id, 'seed:')
                    then 'lower_priority_audience'
            end as reason_code
        from hashed
        left join permission on hashed.customer_id = permission.customer_id
        left join holdout_record as own on hashed.customer_id = own.customer_id
        left join other_holders as others on hashed.customer_id = others.customer_id
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
                as is_held_out,
            -- The one who carries the identifier now keeps it; else the lowest id.
            arg_min(
                customer_id,
                if(customer_id in (select customer_id from acknowledged), '0', '1') || customer_id
            ) as carrier_id
        from judged
        where reason_code is null
        group by identifier_hash
        """
    )


def _build_payloads(
    connection: duckdb.DuckDBPyConnection, sync: Sync, remote: Mapping[str, str]
) -> None:
    """`desired`. Customer and destination are hashed with the fields: when one of them changes,
    the member is sent again. Their keys begin with `_`, which no channel allows in a field name.
    """
    values = _payload_values(sync, remote, "judged")
    payload = ", ".join(f"'{name}': {value}" for name, value in values.items())
    connection.execute(
        f"""
        create temp table desired as
        select
            judged.customer_id,
            identifier,
            identifier_hash,
            {sync.capabilities.remote_id_sql} as remote_id,
            consent_id,
            case
                when reason_code is not null then reason_code
                when is_held_out then 'holdout'
                when judged.customer_id <> carrier_id then 'duplicate_identifier'
            end as reason_code,
            -- Who is held out for another's sake only is in neither group.
            case
                when judged.customer_id in (select customer_id from drawn_now) then 'holdout'
                when reason_code is null and not is_held_out then 'treated'
            end as holdout_group,
            fields,
            offer_code,
            sha256(identifier || to_json({{{payload}}})) as payload_hash
        from judged
        left join drawn on judged.identifier_hash = drawn_hash
        """
    )
