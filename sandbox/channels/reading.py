"""What the platforms hold for people to act on: the messages on customers' telephones and what they
write back, and the list that the call centre works through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from pathlib import Path

from sandbox import platform_state
from sandbox.channels import lists, store, twilio, zalo
from sandbox.channels.vendor import fate_of

# Platforms that write to telephone numbers, and what may become of their messages.
_TEXTS: Mapping[str, Mapping[str, int]] = {"twilio": twilio.FATES, "zalo": zalo.FATES}
_MISSED = "unreachable"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Text:
    """A message as it was read: its platform, the number it came to, when, and all it said."""

    vendor: str
    effect_id: str
    phone: str
    read_at: datetime
    content: str


def texts(root: Path) -> list[Text]:
    """Every message that arrived, in order; none before any platform was started."""
    if not store.database(root).exists():
        return []
    store.prepare(root)
    with closing(store.connect(root)) as connection:
        found = connection.execute(
            "select vendor, effect_id, recipient, happened_at, content from effects"
            " where kind = 'message' and happened_at is not null order by seq"
        ).fetchall()
        return [
            Text(row["vendor"], row["effect_id"], row["recipient"],
                 datetime.fromisoformat(row["happened_at"]), row["content"])
            for row in found
            if row["vendor"] in _TEXTS
            and fate_of(connection, row["vendor"], row["recipient"], _TEXTS[row["vendor"]])
            != _MISSED
        ]  # fmt: skip


def call_list(root: Path) -> list[str]:
    """Numbers of the contacts in the portal's lists, sorted; none before any platform was started.

    The agents' screen shows the property `phone`; a contact without one is not called.
    """
    if not store.database(root).exists():
        return []
    store.prepare(root)
    with closing(store.connect(root)) as connection:
        lists.prepare(connection)
        found = connection.execute(
            "select distinct json_extract(body, '$.phone') as phone from documents"
            " where vendor = 'hubspot' and kind = 'contact' and key in"
            " (select person from list_members where vendor = 'hubspot') order by 1"
        ).fetchall()
        return [row["phone"] for row in found if row["phone"]]


def load_inbox(root: Path, up_to: str) -> None:
    """Take in what people answered on the days that count: `channels/inbox/<day>.ndjson`.

    An answer has a key of its own, so that it may be taken in again. Who answers STOP gets no more
    texts from that number: https://support.twilio.com/hc/en-us/articles/223134027
    """
    files = [
        file
        for file in sorted((root / "channels" / "inbox").glob("*.ndjson"))
        if _DAY.fullmatch(file.stem) and file.stem <= up_to
    ]
    if not files:
        return
    store.prepare(root)
    with closing(store.connect(root)) as connection, platform_state.transaction(connection):
        for line in (line for file in files for line in file.read_text("utf-8").splitlines()):
            told = json.loads(line)
            sid = "SM" + md5(told["effect_id"].encode(), usedforsecurity=False).hexdigest()
            row = connection.execute(
                "insert or ignore into inbound select vendor, ?, ?, recipient, ? from effects"
                " where effect_id = ? returning vendor, sender",
                (sid, told["at"], told["body"], told["effect_id"]),
            ).fetchone()
            if row and told["body"].strip().upper() in twilio.STOP_WORDS:
                connection.execute(
                    "insert or replace into fates values (?, ?, 'stopped')", tuple(row)
                )
