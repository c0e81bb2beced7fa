"""What people find on their telephones: the messages of all platforms that reached somebody."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.channels import store, twilio, zalo
from sandbox.channels.vendor import fate_of

# Platforms that write to telephone numbers, and what may become of their messages.
_TEXTS: Mapping[str, Mapping[str, int]] = {"twilio": twilio.FATES, "zalo": zalo.FATES}
_MISSED = "unreachable"


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
