"""Web events in Segment's shape: NDJSON, one event per line, gzipped or not.

Settings: `folder` (path or URL, `${NAME}` is an environment variable) and `from` (a pattern below
it). Lands the raw table `events`; a line that is no event goes to the quarantine with its bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ingestion.event_files import EXTRA, EventFilesConfig, event_source, json_lines
from ingestion.line_landing import land_lines
from ingestion.parquet import quote
from ingestion.projection import Target
from ingestion.spec import TableSpec
from ingestion.unread_fields import Unread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ingestion.contract import JsonColumn
    from ingestion.delivered import LocalFile
    from ingestion.landing import Landed
    from ingestion.readers import Reading
    from ingestion.spec import FetchContext

EVENTS = TableSpec(
    "events",
    {
        "message_id": "v",
        "type": "v",
        "event": "v",
        "anonymous_id": "v",
        "user_id": "v",
        "previous_id": "v",
        "occurred_at": "t",
        "sent_at": "t",
        "received_at": "t",
        "properties": "j",
        "traits": "j",
        "context": "j",
        "_extra": "j",
        "_file": "v",
        "_row": "i",
    },
)
# Segment's field, our column, and how json_transform reads it.
_FIELDS = {
    "message_id": ("messageId", "VARCHAR"),
    "type": ("type", "VARCHAR"),
    "event": ("event", "VARCHAR"),
    "anonymous_id": ("anonymousId", "VARCHAR"),
    "user_id": ("userId", "VARCHAR"),
    "previous_id": ("previousId", "VARCHAR"),
    "occurred_at": ("timestamp", "VARCHAR"),
    "sent_at": ("sentAt", "VARCHAR"),
    "received_at": ("receivedAt", "VARCHAR"),
    "properties": ("properties", "JSON"),
    "traits": ("traits", "JSON"),
    "context": ("context", "JSON"),
}


class SegmentConfig(EventFilesConfig):
    """A segment source in sources.yml."""

    kind: Literal["segment"]


def _land(
    context: FetchContext, files: list[LocalFile], path: Path, unread: Unread
) -> tuple[Landed, Reading, Mapping[str, JsonColumn]]:
    targets = [
        Target(column, EVENTS.columns[column], _field(field, type_))
        for column, (field, type_) in _FIELDS.items()
    ]
    targets.append(EXTRA)
    shape = json_lines(dict(_FIELDS.values()), unread)
    return land_lines(context, EVENTS, files, shape=shape, targets=targets, path=path)


def _field(field: str, type_: str) -> str:
    if type_ == "JSON":
        return f"nullif(cast({quote(field)} as varchar), 'null')"
    return quote(field)


SPEC = event_source(
    "segment", SegmentConfig, EVENTS, _land, Unread([f for f, _ in _FIELDS.values()])
)
