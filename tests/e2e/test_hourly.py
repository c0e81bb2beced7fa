"""Messages planned at night wait for their hours, go out once, and come back as touches."""

import sqlite3
from pathlib import Path

import pytest

from sandbox.channels import store
from tests.e2e.installation import Installation

pytestmark = pytest.mark.nightly


def sent_texts(installation: Installation) -> list[str]:
    """To whom the platform really sent a text, one for each."""
    with sqlite3.connect(store.database(installation.home / "sandbox")) as connection:
        return [
            recipient
            for (recipient,) in connection.execute(
                "select recipient from effects where vendor = 'twilio' and kind = 'message' "
                "order by seq"
            )
        ]


def rows(installation: Installation, sql: str) -> list[dict[str, object]]:
    found = installation.json("query", sql)
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def test_messages_wait_for_their_hours_and_go_out_once(twin: Installation, tmp_path: Path) -> None:
    shop = twin.copy(tmp_path / "hourly")
    night = rows(
        shop,
        "select count(*) as n from sync_receipts where action = 'message' and status = 'deferred'",
    )
    assert night[0]["n"], "nobody is written to at two o'clock at night"
    assert sent_texts(shop) == []
    shop.khach("sandbox", "advance", "--hours", "7")
    shop.khach("run", "--hourly")
    sent = sent_texts(shop)
    assert sent
    assert len(set(sent)) == len(sent)
    told = rows(
        shop,
        "select count(distinct customer_id) as people, count(*) as messages from messages "
        "where consent_channel = 'sms' and status in ('accepted', 'delivered', 'failed')",
    )[0]
    assert told["people"] == told["messages"] == len(sent)
    shop.khach("sandbox", "advance", "--hours", "1")
    shop.khach("run", "--hourly")
    assert sent_texts(shop) == sent, "an entry has one message"
    touches = rows(
        shop,
        "select count(*) as n from interactions where source = 'khach' and channel = 'sms'",
    )
    assert touches[0]["n"] == len(sent)
    shop.khach("sandbox", "stop", expect=None)
