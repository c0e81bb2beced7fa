"""Web events as Google Analytics 4 exports them to BigQuery, delivered as NDJSON or Parquet files.

Settings: `folder` (path or URL, `${NAME}` is an environment variable) and `from` (a pattern below
it). Lands the raw table `events`. The export numbers no event: `event_id` is the SHA-256 of what
tells events apart, so that a day exported again (Google restates it for three days) adds nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ingestion.contract import JsonColumn
from ingestion.event_files import EXTRA, EventFilesConfig, event_source, json_lines, words
from ingestion.landing import land
from ingestion.line_landing import land_lines
from ingestion.parquet import bounded_session, quote
from ingestion.projection import Target, typed_query
from ingestion.readers import columns_without_values, format_of, read_parquet_files
from ingestion.spec import TableSpec
from ingestion.unread_fields import Unread

if TYPE_CHECKING:
    from pathlib import Path

    from ingestion.delivered import LocalFile
    from ingestion.landing import Landed
    from ingestion.readers import Reading
    from ingestion.spec import FetchContext

_TEXT = words(
    "event_name event_date event_timestamp event_previous_timestamp event_bundle_sequence_id "
    "event_server_timestamp_offset event_value_in_usd user_pseudo_id user_id "
    "user_first_touch_timestamp is_active_user platform stream_id batch_event_index batch_page_id "
    "batch_ordering_id"
)
_NESTED = words(
    "event_params user_properties device geo app_info privacy_info user_ltv traffic_source "
    "collected_traffic_source session_traffic_source_last_click ecommerce items"
)
_KEY = words(
    "stream_id user_pseudo_id event_timestamp event_name event_bundle_sequence_id batch_page_id "
    "batch_ordering_id batch_event_index event_params"
)
EVENTS = TableSpec(
    "events",
    {
        "event_id": "v",
        "occurred_at": "t",
        **dict.fromkeys(_TEXT, "v"),
        **dict.fromkeys(_NESTED, "j"),
        "_extra": "j",
        "_file": "v",
        "_row": "i",
    },
)


class Ga4Config(EventFilesConfig):
    """A ga4 source in sources.yml."""

    kind: Literal["ga4"]


def _land(
    context: FetchContext, files: list[LocalFile], path: Path, unread: Unread
) -> tuple[Landed, Reading, Mapping[str, JsonColumn]]:
    formats = {format_of(file.name) for file in files}
    if formats == {"ndjson"}:
        structure = dict.fromkeys(_TEXT, "VARCHAR") | dict.fromkeys(_NESTED, "JSON")
        shape, targets = json_lines(structure, unread), [*_targets(structure), EXTRA]
        return land_lines(context, EVENTS, files, shape=shape, targets=targets, path=path)
    if formats != {"parquet"}:
        raise context.config.problem(
            f"{context.config.from_} matches files of formats {sorted(formats)}",
            "from",
            fix="one source takes either .ndjson(.gz) or .parquet",
        )
    with bounded_session(context.staging) as connection:
        reading = read_parquet_files(connection, files)
        targets = [*_targets(reading.columns), _unread_columns(reading.columns)]
        empty = columns_without_values(connection, files)
        types = {
            name: JsonColumn(type_, None)
            for name, type_ in reading.columns.items()
            if name not in empty
        }

        def typed(names: Sequence[str], landed: Path | None) -> str:
            return typed_query(
                connection,
                relation=reading.relation(names, landed),
                targets=targets,
                required=("event_id", "occurred_at"),
                is_kept="true",
                carried=("_file", "_row", "_malformed", "_original"),
                time_zone="UTC",
            )

        return land(connection, EVENTS, reading, typed, path), reading, types


def _unread_columns(columns: Collection[str]) -> Target:
    """What no column reads of a Parquet export."""
    names = [name for name in columns if name not in (*_TEXT, *_NESTED)]
    members = ", ".join(f"{quote(name)} := {quote(name)}" for name in names)
    sql = f"cast(to_json(struct_pack({members})) as varchar)" if names else "null"
    return Target("_extra", "j", sql)


def _targets(columns: Collection[str]) -> list[Target]:
    """The table's columns; an export of an older release lacks some."""

    def text(name: str) -> str:
        return f"cast({quote(name)} as varchar)" if name in columns else "cast(null as varchar)"

    def nested(name: str) -> str:
        return f"nullif(cast(to_json({quote(name)}) as varchar), 'null')"

    values = {name: text(name) for name in _TEXT}
    values |= {name: nested(name) if name in columns else text(name) for name in _NESTED}
    # Without a time there is no event, and no key of it.
    key = " || '|' || ".join(f"coalesce({values[name]}, '')" for name in _KEY)
    micros = f"try_cast({values['event_timestamp']} as bigint)"
    return [
        Target("event_id", "v", f"case when {micros} is not null then sha256({key}) end"),
        Target("occurred_at", "t", f"make_timestamp({micros})"),
        *(Target(name, EVENTS.columns[name], sql) for name, sql in values.items()),
    ]


SPEC = event_source("ga4", Ga4Config, EVENTS, _land, Unread((*_TEXT, *_NESTED)))
