"""What people wrote back to a Twilio number: complete, once, by the vendor's contract."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from landed_data import Configure, rows_of
from vendor_contract import VendorContract, judged

from ingestion.config import find_source
from ingestion.run import check_source, ingest
from ingestion.sources import twilio as connector
from khach.environment import PROJECT, Environment
from khach.errors import BusyError, ConfigError
from sandbox import channels
from sandbox.channels import store

SENT_AT = datetime(2026, 6, 20, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Desk:
    """The running platform, and an installation that reads what came in."""

    root: Path
    env: Environment

    def answer(self, day: str, *texts: tuple[str, str, str]) -> None:
        """Texts that came in on a day: (number of the person, when in UTC, what it says)."""
        lines = []
        with closing(store.connect(self.root)) as connection:
            for phone, at, body in texts:
                effect_id = store.log_effect(
                    connection, "r", "twilio", "message", recipient=phone, reference="",
                    content={"from": "MG1", "body": "Trả lời?"}, happened_at=SENT_AT,
                )  # fmt: skip
                lines.append({"effect_id": effect_id, "at": f"{at}+00:00", "body": body})
        inbox = self.root / "channels" / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        (inbox / f"{day}.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
        for _ in range(2):  # taken in twice, held once
            channels.load_inbox(self.root, up_to=day)

    def count(self) -> int:
        load = ingest(self.env, "texts")
        return load.tables["messages"].rows_landed if load else 0

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        return rows_of(self.env, "texts", "messages", columns)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    root = tmp_path_factory.mktemp("platforms")
    keys = channels.new_keys()
    yield root, channels.variables(channels.start(root, keys), keys)
    channels.stop(root)


@pytest.fixture
def desk(
    served: tuple[Path, dict[str, str]],
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    root, values = served
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    configure("sources:\n  texts: {kind: twilio, area: crm}\n")
    yield Desk(root, env)
    shutil.rmtree(root / "channels" / "inbox", ignore_errors=True)
    with closing(store.connect(root)) as connection:
        for table in ("inbound", "effects", "fates"):
            connection.execute(f"delete from {table}")


FIRST = [
    ("+84912345678", "2026-06-20 04:10:00", "5"),
    ("+84912345679", "2026-06-20 05:00:00", "Giao hơi chậm"),
    ("+84912345670", "2026-06-20 06:00:00", "STOP"),
]


def test_what_came_in_lands_once_as_messages(desk: Desk) -> None:
    desk.answer("2026-06-20", *FIRST)
    assert desk.count() == 3
    assert desk.count() == 0
    assert sorted(desk.rows("phone, sent_at::text, body")) == sorted(FIRST)
    assert desk.rows("distinct channel, direction, conversation_id, _is_deleted") == [
        ("sms", "inbound", None, False)
    ]


def test_the_next_day_brings_what_came_since(desk: Desk) -> None:
    desk.answer("2026-06-20", *FIRST)
    desk.count()
    desk.answer("2026-06-22", ("+84912345678", "2026-06-22 04:00:00", "Ok"))
    # The filter knows days alone, so the newest of the days before come again.
    assert desk.count() == 4
    assert desk.count() == 0
    assert len(set(desk.rows("message_id"))) == 4


def test_small_pages_land_the_same_rows_and_keep_the_contract(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loosen(document: dict[str, Any]) -> None:
        message = document["components"]["schemas"]["api.v2010.account.message"]
        message["properties"]["subresource_uris"]["additionalProperties"] = True

    contract = VendorContract(
        PROJECT.parent / "shared" / "specs", "twilio", "https://api.twilio.com",
        headers={"Authorization": "Basic eDp5"}, loosen=loosen,
    )  # fmt: skip
    texts = [(f"+8491234{n:04d}", f"2026-06-20 04:{n:02d}:00", str(n)) for n in range(5)]
    desk.answer("2026-06-20", *texts)
    monkeypatch.setattr(connector, "PER_PAGE", 2)
    with judged(contract) as seen:
        assert desk.count() == 5
    assert len(seen) == 3
    assert sorted(desk.rows("phone, sent_at::text, body")) == sorted(texts)


def test_who_answered_stop_gets_no_more_of_that_platform(desk: Desk) -> None:
    desk.answer("2026-06-20", *FIRST)
    with closing(store.connect(desk.root)) as connection:
        fates = connection.execute("select recipient, fate from fates").fetchall()
    assert [tuple(fate) for fate in fates] == [("+84912345670", "stopped")]


def test_the_check_tells_a_wrong_token(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    source = find_source(desk.env, "texts")
    assert [item.found for item in check_source(desk.env, source)] == ["no text yet"]
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "wrong")
    (refused,) = check_source(desk.env, source)
    assert refused.exit_code == 2
    assert "TWILIO_AUTH_TOKEN" in str(refused.problem)


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        (("TWILIO_AUTH_TOKEN", "wrong"), (ConfigError, "TWILIO_AUTH_TOKEN is refused")),
        (("TWILIO_API_URL", ""), (ConfigError, "TWILIO_API_URL is not set")),
        (("TWILIO_API_URL", "http://127.0.0.1.elsewhere"), (ConfigError, "not an https")),
        (("TWILIO_API_URL", "http://127.0.0.1:9"), (BusyError, "no answer")),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_lands(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, setting: Any, error: Any
) -> None:
    monkeypatch.setenv(*setting)
    with pytest.raises(error[0], match=error[1]):
        desk.count()
    assert not (desk.env.lake / "raw_texts").exists()
