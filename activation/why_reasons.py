"""One sync's part of `khach why`: what its reason code means for this very customer."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb

from activation.evaluation import Evaluation
from activation.identifiers import IDENTIFIERS, holders_sql, normal_sql
from activation.why_records import Record, records
from activation.why_sent import membership, message, still_held
from activation.why_words import reason_text


@dataclass(frozen=True)
class SyncAnswer:
    """Whether the customer goes out with a sync, in words, and the rows behind it by table."""

    sync_id: str
    channel: str
    reason_code: str | None
    text: str
    rows: dict[str, list[Record]]

    @property
    def is_in(self) -> bool:
        """Whether nothing keeps them out."""
        return self.reason_code is None

    def as_row(self) -> Record:
        """The row of `syncs`."""
        return {
            "sync_id": self.sync_id, "channel": self.channel, "is_in": self.is_in,
            "reason_code": self.reason_code or "member", "why": self.text,
        }  # fmt: skip


def sync_answer(
    evaluation: Evaluation,
    state: duckdb.DuckDBPyConnection,
    customer_id: str,
    taken: list[str],
    zone: ZoneInfo,
) -> SyncAnswer:
    """Why a candidate goes out with this sync or not. `taken`: audiences that go first."""
    connection, sync = evaluation.connection, evaluation.sync
    asked: Record = {
        "id": customer_id, "channel": sync.consent, "purpose": evaluation.audience.purpose,
        "sync": sync.id, "audience": evaluation.audience.name, "zone": zone,
    }  # fmt: skip
    [candidate] = records(
        connection,
        "select desired.reason_code, desired.identifier_hash, desired.consent_id, "
        "candidate.is_minor from desired inner join candidate using (customer_id) "
        "where customer_id = $id",
        asked,
    )
    asked |= {"hash": candidate["identifier_hash"], "consent_id": candidate["consent_id"]}
    asked["is_minor"] = candidate["is_minor"]
    sharers = _sharers(evaluation, customer_id)
    asked["holders"] = [customer_id, *(row["customer_id"] for row in sharers)]
    rows = {"shared_with": sharers} | _evidence(connection, state, asked)
    code = candidate["reason_code"]
    if code is not None:
        still, more = still_held(state, sync.id, customer_id)
        text = f"out, {reason_text(code, asked, rows, taken)}{still}"
    elif sync.is_message:
        text, more = message(evaluation, state, asked)
    else:
        text, more = membership(state, asked)
    rows = {table: found for table, found in (rows | more).items() if found}
    return SyncAnswer(sync.id, sync.channel, code, text, rows)


def _evidence(
    marts: duckdb.DuckDBPyConnection, state: duckdb.DuckDBPyConnection, asked: Record
) -> dict[str, list[Record]]:
    """The consents and holdouts of all holders, which decide."""
    return {
        "consents": records(
            marts,
            "select consent_id, customer_id, channel, purpose, is_granted, granted_at, "
            "withdrawn_at, evidence_source, evidence_id from consents where channel = $channel "
            "and purpose = $purpose and list_contains($holders, customer_id) order by all",
            asked,
        ),
        "holdouts": records(
            state,
            'select customer_id, "group", assigned_at from holdouts where audience = $audience '
            "and list_contains($holders, customer_id) order by all",
            asked,
        ),
    }


def _sharers(evaluation: Evaluation, customer_id: str) -> list[Record]:
    """Other customers who hold what this one would be reached by; no value is shown."""
    identifier = IDENTIFIERS[evaluation.sync.consent]
    own = " union ".join(
        [
            "select identifier from candidate where customer_id = $id",
            *(
                f"select {normal_sql(column, kind)} from customers where customer_id = $id"
                for kind, column in identifier.columns.items()
            ),
        ]
    )
    return records(
        evaluation.connection,
        f"""
        select distinct
            held.customer_id,
            coalesce(is_minor(birth_date, birth_year), false) as is_minor,
            coalesce(permission.is_granted, false) as is_granted,
            held.customer_id in (select customer_id from desired where reason_code is null)
                as carries_it
        from ({holders_sql(identifier)}) as held
        left join customers on held.customer_id = customers.customer_id
        left join permission on held.customer_id = permission.customer_id
        where held.customer_id <> $id and identifier <> '' and identifier in ({own})
        order by all
        """,
        {"id": customer_id},
    )
