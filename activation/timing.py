"""When a message may go out: hours of the day, and how many its recipient has had by then.

Judged at apply, never in the plan: the same plan may go out at nine and not at eleven at night.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from activation.audience_file import Sync
from activation.policy import Cap, PolicyFile

# Rows whose recipient has had `$most` sends or more, and the oldest that has to pass first.
_HELD = """
with sent as (
    select identifier_hash, coalesce(current_customer_id, customer_id) as customer_id,
        sent_at
    from messages_of_all
    left join customer_survivors using (customer_id)
    where consent_channel in $channels
    union all
    select null, customer_id, occurred_at
    from {other_sends}
    where channel in $channels
        and coalesce(campaign_id, '') not in (select sync_id from messages_of_all)
),
recent as (
    select *, row_number() over () as send_number
    from sent where sent_at > $since and sent_at <= $now
),
-- A union: a send to the same person and the same number is one.
met as (
    select row_number, send_number, sent_at
    from rows_to_cap join recent using (customer_id)
    union
    select row_number, send_number, sent_at
    from rows_to_cap join recent using (identifier_hash)
),
ranked as (
    select row_number, sent_at, count(*) over (partition by row_number) as n,
        row_number() over (partition by row_number order by sent_at desc) as nth
    from met
)
select row_number, min(sent_at) from ranked
where n >= $most and nth <= $most group by row_number
"""


def next_opening(windows: Iterable[str], moment: datetime, time_zone: str) -> datetime | None:
    """None while all windows (`HH:MM-HH:MM`, local) are open at `moment` (naive UTC), else when
    they next are, naive UTC. A window may pass midnight. Windows that never meet never open: a
    moment a year on stands for that.
    """
    zone = ZoneInfo(time_zone)
    spans = [_span(window) for window in windows]
    local = moment.replace(tzinfo=UTC).astimezone(zone)
    if all(_is_open(span, local.time()) for span in spans):
        return None
    starts = [
        datetime.combine(local.date() + timedelta(days=day), start, tzinfo=zone)
        for day in (0, 1)
        for start, _ in spans
    ]
    for start in sorted(starts):
        if start > local and all(_is_open(span, start.time()) for span in spans):
            return start.astimezone(UTC).replace(tzinfo=None)
    return moment + timedelta(days=365)


def sync_windows(sync: Sync, policy: PolicyFile) -> list[str]:
    """The policy's hours of the consent channel and the sync's own."""
    windows = [policy.send_windows.get(sync.consent), sync.send_window]  # type: ignore[call-overload]
    return [window for window in windows if window]


def capped(
    marts: duckdb.DuckDBPyConnection,
    sync: Sync,
    caps: Iterable[Cap],
    *,
    messages: pa.Table,
    rows: pa.Table,
    now: datetime,
) -> dict[int, datetime]:
    """row_number -> when it may go out, of the rows whose recipient has had enough by now.

    `messages`: customer_id, identifier_hash, consent_channel, sync_id, sent_at of all syncs;
    `rows`: row_number, customer_id, identifier_hash. What the channels' own reports tell of other
    sends (`interactions`) counts too; a report of a message of ours has its sync as campaign.
    """
    marts.register("messages_of_all", messages)
    marts.register("rows_to_cap", rows)
    held: dict[int, datetime] = {}
    for cap in caps:
        if sync.consent in cap.channels:
            for number, free in _held_by(marts, cap, rows, now).items():
                held[number] = max(free, held.get(number, free))
    return held


def _held_by(
    marts: duckdb.DuckDBPyConnection, cap: Cap, rows: pa.Table, now: datetime
) -> dict[int, datetime]:
    """row_number -> when one cap lets it go, of the rows that it holds."""
    length = timedelta(hours=cap.per_hours)
    if cap.at_most == 0:
        return dict.fromkeys(rows.column("row_number").to_pylist(), now + length)
    found = marts.execute(
        _HELD.format(other_sends=_other_sends(marts)),
        {
            "channels": list(cap.channels), "since": now - length, "now": now,
            "most": cap.at_most,
        },
    ).fetchall()  # fmt: skip
    return {number: oldest + length for number, oldest in found}


def _other_sends(marts: duckdb.DuckDBPyConnection) -> str:
    """Contacts that the business began; a published copy without them counts ours alone."""
    known = marts.execute(
        "select count(*) from duckdb_tables() where table_name = 'interactions'"
    ).fetchone()
    if known and known[0]:
        return (
            "(select customer_id, channel, campaign_id, occurred_at from interactions "
            "where initiated_by = 'business' and direction = 'outbound')"
        )
    return "(select null as customer_id, null as channel, null as campaign_id, null as occurred_at)"


def _span(window: str) -> tuple[time, time]:
    start, end = window.split("-")
    return time.fromisoformat(start), time() if end == "24:00" else time.fromisoformat(end)


def _is_open(span: tuple[time, time], moment: time) -> bool:
    start, end = span
    if start < end:
        return start <= moment < end
    return moment >= start or moment < end
