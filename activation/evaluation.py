"""One look at a sync: desired rows against acknowledged ones, and a fingerprint of every input.

`make_plan` stores what it sees; `apply_plan` looks again and refuses when the fingerprint differs,
so payloads are computed twice and stored never.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from activation.audience_file import Audience, Sync
from activation.audiences import Book, load_audiences
from activation.channels.base import resolve_remote
from activation.consent import Consent, PermittedRow, permit
from activation.desired import SALT_VERSION, build_desired
from activation.difference import build_member_difference, build_message_difference
from activation.fields import field_values
from activation.identifiers import IDENTIFIERS, holders_sql
from activation.ledger import Inputs, read_inputs
from activation.payloads import Payload
from activation.permissions import build_withdrawn
from activation.policy import Policy, load_policy
from activation.seeds import IS_SEED, add_seeds
from activation.snapshot import Snapshot, current_snapshot, open_marts
from khach.environment import Environment
from khach.settings import load_settings
from khach.state import open_state

_NO_ROWS = pa.table({"identifier_hash": pa.array([], pa.string())})


@dataclass(frozen=True)
class Evaluation:
    """Temporary tables `desired` and `difference` on a connection, and what they came from."""

    connection: duckdb.DuckDBPyConnection
    audience: Audience
    sync: Sync
    snapshot: Snapshot
    inputs: Inputs
    payload: Payload
    fingerprint: str

    @property
    def remote(self) -> Mapping[str, str]:
        """Where the sync goes, resolved."""
        return self.payload.remote

    @property
    def destination(self) -> str | None:
        """Names the list that the sync goes to, by a hash: channel and place. None of messages."""
        if self.sync.is_message:
            return None
        place = sorted(self.sync.capabilities.place(self.remote).items())
        return hashlib.sha256(f"{self.sync.channel}/{place}".encode()).hexdigest()[:16]

    def counts(self) -> dict[str, int]:
        """Rows per action: add, update, remove, message, unchanged; seeds do not count."""
        found = self.connection.execute(
            f"select action, count(*) from difference where not {IS_SEED} group by action"
        ).fetchall()
        counts = dict.fromkeys(("add", "update", "remove", "message", "unchanged"), 0) | dict(found)
        if not self.sync.is_message:
            counts["unchanged"] = max(0, self.member_count() - counts["add"] - counts["update"])
        return counts

    def withdrawn_count(self) -> int:
        """Rows that are removed because of a withdrawal; no guard on removals counts them."""
        if self.sync.is_message:
            return 0
        found = self.connection.execute(
            "select count(*) from difference where action = 'remove' "
            f"and not {IS_SEED} and customer_id in (select customer_id from withdrawn)"
        ).fetchone()
        return int(found[0]) if found else 0

    def examples(self, count: int = 3) -> dict[str, list[str]]:
        """A few customer ids per action, the lowest."""
        found = self.connection.execute(
            "select action, list_sort(list(distinct customer_id))[1:?] from difference "
            f"where action <> 'unchanged' and not {IS_SEED} group by action order by action",
            [count],
        ).fetchall()
        return dict(found)

    def member_count(self) -> int:
        """How many customers go out."""
        return int(
            self.connection.execute(
                f"select count(*) from desired where reason_code is null and not {IS_SEED}"
            ).fetchall()[0][0]
        )

    def reasons(self) -> dict[str, int]:
        """Candidates left out, per reason, in the order of the reason codes."""
        return dict(
            self.connection.execute(
                "select reason_code, count(*) from desired where reason_code is not null "
                f"and not {IS_SEED} group by reason_code order by reason_code"
            ).fetchall()
        )

    def plan_rows(self) -> pa.Table:
        """The rows that change, without any personal value, as `sync_plan_rows` keeps them."""
        return self.connection.execute(
            "select * from difference where action <> 'unchanged' order by row_number"
        ).to_arrow_table()

    def changed_reasons(self) -> pa.Table:
        """customer_id, reason_code, valid_from of whose reason is not that of the open interval.

        valid_from is null but for an entry that goes on under the id that a merge left.
        """
        self.connection.register("open_reason", self.inputs.open_reasons)
        return self.connection.execute(
            "with now_in as (select customer_id, coalesce(reason_code, 'member') as reason_code "
            f"from desired where not {IS_SEED}) "
            "select coalesce(now_in.customer_id, open_reason.customer_id) as customer_id, "
            "now_in.reason_code, entered.entered_at as valid_from "
            "from now_in full join open_reason using (customer_id) left join (select customer_id, "
            "entered_at from difference where entered_at is not null) as entered "
            "on now_in.customer_id = entered.customer_id and now_in.reason_code = 'member' "
            "where now_in.reason_code is distinct from open_reason.reason_code order by 1"
        ).to_arrow_table()

    def new_holdouts(self) -> pa.Table:
        """customer_id, group of the eligible who have no record yet; empty without a holdout."""
        return self.connection.execute(
            'select customer_id, holdout_group as "group" from desired '
            f"where holdout_group is not null and ? > 0 and not {IS_SEED} and customer_id not in "
            "(select customer_id from holdout_record) order by 1",
            [self.audience.holdout],
        ).to_arrow_table()

    def permitted(self, rows: pa.Table | None = None) -> dict[str, PermittedRow]:
        """Rows to send by identifier_hash, each built from its consent row, in that order.

        `rows`: row_number and identifier_hash of adds, updates or messages of the plan; None: every
        current member (whole files). A row that nobody permits any more, or whose person left, is
        not there. Raises NotPermittedError when a consent does not permit its row.
        """
        self.connection.register("wanted_rows", rows if rows is not None else _NO_ROWS)
        chosen = "" if rows is None else "join wanted_rows using (identifier_hash)"
        number = "desired.identifier_hash" if rows is None else "wanted_rows.row_number"
        who = f"select customer_id from desired {chosen} where reason_code is null"
        found = self.connection.execute(
            f"""
            select
                desired.identifier_hash, desired.customer_id, desired.identifier,
                coalesce(difference.remote_id, desired.remote_id) as remote_id,
                payload.fields,
                coalesce(difference.entry_id, {number}::varchar) as row_id,
                consents.consent_id, consents.customer_id, consents.channel, consents.purpose,
                consents.is_granted
            from desired
            {chosen}
            inner join ({self.payload.fields_sql(who)}) as payload
                on desired.customer_id = payload.customer_id
            left join difference
                on desired.identifier_hash = difference.identifier_hash
                and difference.action <> 'remove'
            left join consents on desired.consent_id = consents.consent_id
            where desired.reason_code is null
            order by {number}
            """
        ).fetchall()
        rows = {
            row[0]: permit(
                Consent(*row[6:]),
                customer_id=row[1],
                channel=self.sync.consent,
                purpose=self.audience.purpose,
                identifier=row[2],
                remote_id=row[3],
                fields=row[4],
                row_id=row[5],
            )
            for row in found
        }
        # Here once for all channels, a new one included.
        if not all(isinstance(row, PermittedRow) for row in rows.values()):
            raise TypeError("only a PermittedRow may be added, updated or sent a message")
        return rows

    def payload_hashes(self) -> dict[str, str]:
        """identifier_hash -> payload_hash of everyone who goes out."""
        return dict(
            self.connection.execute(
                "select identifier_hash, payload_hash from desired where reason_code is null"
            ).fetchall()
        )

    def identifiers(self, identifier_hashes: pa.Array) -> dict[str, str]:
        """The identifier behind each hash, where the marts still know somebody who holds it."""
        self.connection.register("hashes", pa.table({"identifier_hash": identifier_hashes}))
        return dict(
            self.connection.execute(
                "select distinct sha256(identifier), identifier from "
                f"({holders_sql(IDENTIFIERS[self.sync.consent])}) "
                "where sha256(identifier) in (select identifier_hash from hashes)"
            ).fetchall()
        )


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
    payload = Payload(field_values(audience, sync, policy.rules), remote)
    with open_marts(snapshot) as connection:
        add_seeds(connection, policy.rules.seeds, audience, sync, country=settings.default_country)
        build_desired(
            connection,
            book,
            audience,
            sync,
            policy=policy,
            as_of=snapshot.as_of,
            time_zone=settings.business_time_zone,
            inputs=inputs,
            payload=payload,
        )
        if sync.is_message:
            build_message_difference(connection, sync, inputs, as_of=snapshot.as_of)
        else:
            build_withdrawn(connection, audience, sync)
            build_member_difference(connection, sync, inputs, payload)
            connection.register("messages_told", inputs.messages)
        known = (settings.business_time_zone, SALT_VERSION, sync.id, dict(remote))
        fingerprint = _fingerprint(connection, snapshot, book, policy, known)
        yield Evaluation(connection, audience, sync, snapshot, inputs, payload, fingerprint)


def _fingerprint(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    book: Book,
    policy: Policy,
    known: tuple[object, ...],
) -> str:
    """SHA-256 over everything a plan depends on but the suppression list; row order is nothing.

    What the list forbids since the plan was made is dropped from it, row by row.
    """
    digests = [
        connection.execute(
            f"select count(*), coalesce(sum(hash(t)::hugeint), 0)::varchar from {table} as t "
            f"where not {IS_SEED}"
        ).fetchone()
        for table in ("acknowledged", "holdout_record", "messages_told")
    ]
    content = [
        snapshot.snapshot_id,
        [audience.model_dump(mode="json") for audience in book.values()],
        policy.minimum_age,
        policy.rules.model_dump(mode="json"),
        known,
        digests,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
