"""One look at a sync: desired rows against acknowledged ones, and a fingerprint of every input.

`make_plan` stores what it sees; `apply_plan` looks again and refuses when the fingerprint differs,
so payloads are computed twice and stored never.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from activation.audience_file import Audience, Sync
from activation.audiences import Book, load_audiences
from activation.channels.base import resolve_remote
from activation.consent import Consent, PermittedRow, permit
from activation.desired import SALT_VERSION, build_desired, fields_sql
from activation.ledger import Inputs, read_inputs
from activation.policy import Policy, load_policy
from activation.snapshot import Snapshot, current_snapshot, open_marts
from khach.environment import Environment
from khach.settings import load_settings
from khach.state import open_state


@dataclass(frozen=True)
class Evaluation:
    """Temporary tables `desired` and `difference` on a connection, and what they came from."""

    connection: duckdb.DuckDBPyConnection
    audience: Audience
    sync: Sync
    snapshot: Snapshot
    inputs: Inputs
    remote: Mapping[str, str]
    fingerprint: str

    def counts(self) -> dict[str, int]:
        """Rows per action: add, update, remove, unchanged."""
        found = self.connection.execute(
            "select action, count(*) from difference group by action"
        ).fetchall()
        return {"add": 0, "update": 0, "remove": 0, "unchanged": 0} | dict(found)

    def member_count(self) -> int:
        """How many customers go out."""
        return int(
            self.connection.execute(
                "select count(*) from desired where reason_code is null"
            ).fetchall()[0][0]
        )

    def reasons(self) -> dict[str, int]:
        """Candidates left out, per reason, in the order of the reason codes."""
        return dict(
            self.connection.execute(
                "select reason_code, count(*) from desired where reason_code is not null "
                "group by reason_code order by reason_code"
            ).fetchall()
        )

    def plan_rows(self) -> pa.Table:
        """The rows that change, without any personal value, as `sync_plan_rows` keeps them."""
        return self.connection.execute(
            "select row_number, customer_id, action, reason_code, identifier_hash, remote_id, "
            "payload_hash, field_hashes, changed_fields, consent_id from difference "
            "where action <> 'unchanged' order by row_number"
        ).to_arrow_table()

    def changed_reasons(self) -> pa.Table:
        """customer_id, reason_code of those whose reason differs from the open interval."""
        self.connection.register("open_reason", self.inputs.open_reasons)
        return self.connection.execute(
            "with now_in as (select customer_id, coalesce(reason_code, 'member') as reason_code "
            "from desired) "
            "select coalesce(now_in.customer_id, open_reason.customer_id) as customer_id, "
            "now_in.reason_code from now_in full join open_reason using (customer_id) "
            "where now_in.reason_code is distinct from open_reason.reason_code order by 1"
        ).to_arrow_table()

    def new_holdouts(self) -> pa.Table:
        """customer_id, group of the eligible who have no record yet; empty without a holdout."""
        return self.connection.execute(
            'select customer_id, holdout_group as "group" from desired '
            "where holdout_group is not null and ? > 0 and customer_id not in "
            "(select customer_id from holdout_record) order by 1",
            [self.audience.holdout],
        ).to_arrow_table()

    def permitted(self, row_numbers: Sequence[int] | None = None) -> list[PermittedRow]:
        """Rows to send, each built from its consent row, in order of row_number.

        `row_numbers`: adds and updates of the plan; None: every current member (whole files).
        Raises NotPermittedError when a consent does not permit its row.
        """
        wanted = pa.table({"wanted": pa.array(row_numbers or [], pa.int64())})
        self.connection.register("wanted_rows", wanted)
        chosen = (
            "true"
            if row_numbers is None
            else ("difference.row_number in (select wanted from wanted_rows)")
        )
        found = self.connection.execute(
            f"""
            select
                desired.customer_id, desired.identifier, desired.remote_id,
                {fields_sql(self.sync)} as fields,
                consents.consent_id, consents.customer_id, consents.channel, consents.purpose,
                consents.is_granted
            from difference
            join desired
                on difference.customer_id = desired.customer_id
                and difference.identifier_hash = desired.identifier_hash
            left join consents on desired.consent_id = consents.consent_id
            where difference.action <> 'remove' and desired.reason_code is null and {chosen}
            order by difference.row_number
            """
        ).fetchall()
        return [
            permit(
                Consent(*row[4:]),
                customer_id=row[0],
                channel=self.sync.consent,
                purpose=self.audience.purpose,
                identifier=row[1],
                remote_id=row[2],
                fields=row[3],
            )
            for row in found
        ]


@contextmanager
def evaluate(env: Environment, sync_id: str, *, needs_remote: bool = True) -> Iterator[Evaluation]:
    """Compute desired and difference of one sync over the current snapshot; changes nothing.

    `needs_remote` false: only `desired` is meant to be read, and no variable has to be set.
    """
    book = load_audiences(env)
    audience, sync = book.find_sync(sync_id)
    policy, settings = load_policy(env), load_settings(env)
    remote = resolve_remote(sync.capabilities, sync.remote, sync.id) if needs_remote else {}
    with open_state(env) as state:
        snapshot = current_snapshot(env, state)
        inputs = read_inputs(state, audience.name, sync.id)
    with open_marts(snapshot) as connection:
        build_desired(
            connection,
            book,
            audience,
            sync,
            policy=policy,
            as_of=snapshot.as_of,
            time_zone=settings.business_time_zone,
            holdouts=inputs.holdouts,
            acknowledged=inputs.acknowledged,
            remote=remote,
        )
        _build_difference(connection, is_mirror=sync.mode == "mirror")
        known = (settings.business_time_zone, SALT_VERSION, sync.id, dict(remote))
        fingerprint = _fingerprint(connection, snapshot, book, policy, known)
        yield Evaluation(connection, audience, sync, snapshot, inputs, remote, fingerprint)


def _build_difference(connection: duckdb.DuckDBPyConnection, *, is_mirror: bool) -> None:
    """Grain: identifier. Keyed by it, so that a merge of customers is no churn."""
    connection.execute(
        f"""
        create temp table difference as
        with wanted as (
            select * from desired where reason_code is null
        ),
        joined as (
            select
                coalesce(wanted.customer_id, acknowledged.customer_id) as customer_id,
                coalesce(wanted.identifier_hash, acknowledged.identifier_hash) as identifier_hash,
                coalesce(wanted.remote_id, acknowledged.remote_id) as remote_id,
                case
                    when acknowledged.identifier_hash is null then 'add'
                    when wanted.identifier_hash is null then 'remove'
                    when wanted.payload_hash = acknowledged.payload_hash then 'unchanged'
                    else 'update'
                end as action,
                wanted.payload_hash,
                wanted.field_hashes,
                wanted.consent_id,
                acknowledged.field_hashes as old_hashes
            from wanted
            full join acknowledged on wanted.identifier_hash = acknowledged.identifier_hash
        )
        select
            row_number() over (
                order by
                    case joined.action when 'remove' then 0 when 'unchanged' then 2 else 1 end,
                    joined.identifier_hash
            ) as row_number,
            joined.* exclude (old_hashes),
            case when joined.action = 'update' then list_sort(list_filter(
                map_keys(joined.field_hashes),
                lambda name: joined.field_hashes[name] is distinct from old_hashes[name]
            )) end as changed_fields,
            desired.reason_code
        from joined
        left join desired on joined.customer_id = desired.customer_id
        where {"true" if is_mirror else "joined.action <> 'remove'"}
        """
    )


def _fingerprint(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    book: Book,
    policy: Policy,
    known: tuple[object, ...],
) -> str:
    """SHA-256 over everything a plan depends on; order of rows does not matter."""
    digests = [
        connection.execute(
            f"select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from {table} as t"
        ).fetchone()
        for table in ("acknowledged", "holdout_record", "suppression")
    ]
    content = [
        snapshot.snapshot_id,
        [audience.model_dump(mode="json") for audience in book.values()],
        policy.minimum_age,
        known,
        digests,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
