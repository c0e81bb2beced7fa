"""The state of the simulated e-mail platform: one SQLite file, its clock and its two logs.

Times are text, ISO 8601 UTC with seconds (`2015-10-21T15:41:36+00:00`, the API's own form), so
that they compare as they sort. A member is identified by `member_id`, the MD5 of the lower-cased
address, everywhere but in the tables that must return the address itself.
"""

import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from sandbox import platform_state

SCHEMA = Path(__file__).with_name("schema.sql")

# A new audience has these fields: https://mailchimp.com/help/manage-audience-signup-form-fields/
DEFAULT_MERGE_FIELDS = (
    ("FNAME", "First Name", "text"),
    ("LNAME", "Last Name", "text"),
    ("PHONE", "Phone Number", "phone"),
    ("BIRTHDAY", "Birthday", "birthday"),
)


def database(root: Path) -> Path:
    """Where the platform's state lies under the sandbox's folder."""
    return root / "mailchimp" / "state.sqlite"


def connect(root: Path) -> sqlite3.Connection:
    """A connection of its own for the caller, as `platform_state` opens it."""
    return platform_state.connect(database(root))


def prepare(root: Path) -> None:
    """Create folder and tables where they are missing."""
    platform_state.prepare(database(root), SCHEMA.read_text(encoding="utf-8"))


def subscriber_hash(email_address: str) -> str:
    """The member id: "the MD5 hash of the lowercase version of the email address" (contract)."""
    return hashlib.md5(email_address.lower().encode(), usedforsecurity=False).hexdigest()


def iso(value: datetime | str | None) -> str | None:
    """The API's form of a point in time; a naive one is UTC. ValueError when it is not ISO 8601."""
    if value is None or value == "":
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="seconds")


def simulated_now(root: Path) -> str:
    """The retailer's own time, in the API's form.

    `last_changed` must lie on the same time line as the simulated days, or an incremental reader
    would never see the days that follow a change made through the API.
    """
    return str(iso(platform_state.simulated_now(root)))


def wall_now() -> str:
    """The time for logs."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def log_effect(
    connection: sqlite3.Connection,
    request_id: str,
    member: tuple[str, str],
    effect: str,
    tag: str | None = None,
) -> None:
    """Record inside the caller's transaction that something really changed for (list, member)."""
    connection.execute(
        "insert into effects (at, request_id, list_id, member_id, effect, tag)"
        " values (?, ?, ?, ?, ?, ?)",
        (wall_now(), request_id, *member, effect, tag),
    )


def tag_id(connection: sqlite3.Connection, list_id: str, name: str, now: str) -> int:
    """The tag's id; "if a tag that does not exist is passed in ... it will be created"."""
    connection.execute(
        "insert or ignore into tags (list_id, name, created_at, updated_at) values (?, ?, ?, ?)",
        (list_id, name, now, now),
    )
    row = connection.execute(
        "select tag_id from tags where list_id = ? and name = ?", (list_id, name)
    ).fetchone()
    return int(row["tag_id"])


def add_list(connection: sqlite3.Connection, list_id: str, name: str, now: str) -> None:
    """Create an audience with the default merge fields, or rename it."""
    connection.execute(
        "insert into lists values (?, ?, ?)"
        " on conflict (list_id) do update set name = excluded.name",
        (list_id, name, now),
    )
    connection.executemany(
        "insert or ignore into merge_fields values (?, ?, ?, ?, ?, 0, '', 1, ?)",
        [
            (number, list_id, tag, label, kind, number + 1)
            for number, (tag, label, kind) in enumerate(DEFAULT_MERGE_FIELDS, start=1)
        ],
    )
