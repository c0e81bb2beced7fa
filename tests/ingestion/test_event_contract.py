"""Event files: fields that nobody reads land, and a field that changes its type stops the table."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed_data import Configure, rows_of

from ingestion import lines, unread_fields
from ingestion.contract import ContractError
from ingestion.event_files import json_lines
from ingestion.quarantine import read_quarantine
from ingestion.run import ingest
from ingestion.unread_fields import Unread
from khach.environment import Environment
from khach.state import open_state

WEB = "sources:\n  web: {kind: segment, area: web, folder: FOLDER, from: '*.ndjson.gz'MORE}\n"


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "messageId": f"m{number:05d}", "type": "track", "event": "Seen", "userId": "u",
        "timestamp": "2026-01-01T00:00:00Z", "properties": {"n": number}, **more,
    }  # fmt: skip


def deliver(folder: Path, name: str, events: Iterable[dict[str, Any]]) -> None:
    with gzip.open(folder / f"{name}.ndjson.gz", "wt") as out:
        out.writelines(json.dumps(one) + "\n" for one in events)


def changes(env: Environment) -> list[tuple[Any, ...]]:
    with open_state(env) as state:
        return state.execute(
            "select column_name, old_type, new_type from schema_changes order by all"
        ).fetchall()


@pytest.fixture(params=["exact", "sampled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small deliveries are read exactly, large ones by a sample; here both are small."""
    if request.param == "sampled":
        monkeypatch.setattr(unread_fields, "EXACT_BYTES", 0)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_a_new_field_lands_and_a_flip_stops_the_table(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(WEB.replace("MORE", ""))
    deliver(folder, "1", [event(1, version=2)])
    assert ingest(env, "web") is not None
    assert changes(env) == []
    deliver(folder, "2", [event(2, version=2, consent={"ads": None}), event(3)])
    assert ingest(env, "web") is not None
    assert changes(env) == [("consent", None, "OBJECT")]
    extra = rows_of(env, "web", "events", "message_id, _extra")
    assert [text and json.loads(text) for _, text in extra] == [
        {"version": 2}, {"version": 2, "consent": {"ads": None}}, None,
    ]  # fmt: skip
    odd = event(4, timestamp={"at": "2026"})  # one odd row is a matter of its own
    deliver(folder, "3", [odd, event(5), event(6)])
    load = ingest(env, "web")
    assert load is not None
    assert load.tables["events"].rows_quarantined == 1
    deliver(folder, "4", [event(7) | {"userId": 7}, event(8) | {"userId": 8}, event(9)])
    with pytest.raises(ContractError) as caught:
        ingest(env, "web")
    text = "events: column userId changes its type from TEXT to NUMBER (values like 9)"
    assert text in caught.value.message
    assert (caught.value.exit_code, caught.value.load) == (3, None)
    assert len(read_quarantine(env, "web")) == 1
    configure(WEB.replace("MORE", ", accept: {events: {userId: NUMBER}}"))
    assert ingest(env, "web") is not None
    assert ("userId", "TEXT", "NUMBER") in changes(env)
    assert len(rows_of(env, "web", "events", "_row")) == 8


def test_a_field_that_comes_in_the_middle_of_a_large_file_lands_whole(
    env: Environment, configure: Configure, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_fields, "EXACT_BYTES", 0)
    monkeypatch.setattr(unread_fields, "_SAMPLED", 100)
    monkeypatch.setattr(lines, "_CHUNK", 1 << 14)
    configure(WEB.replace("MORE", ""))
    deliver(folder, "1", (event(n, **({"late": n} if n > 2500 else {})) for n in range(4000)))
    assert ingest(env, "web") is not None
    counted = rows_of(env, "web", "events", "count(_extra), sum((_extra ->> 'late')::int)")
    assert counted == [(1499, sum(range(2501, 4000)))]


def test_fields_that_differ_in_capitals_only_are_both_kept(
    env: Environment, configure: Configure, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_fields, "EXACT_BYTES", 0)
    configure(WEB.replace("MORE", ""))
    deliver(folder, "1", [event(1, Plan="a", plan="b"), event(2, messageID="x")])
    assert ingest(env, "web") is not None
    extra = [json.loads(text) for (text,) in rows_of(env, "web", "events", "_extra")]
    assert sorted(extra, key=len) == [{"messageID": "x"}, {"Plan": "a", "plan": "b"}]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["type", "a", "b c", 'q"\\', "é"]),
            st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=4)
            | st.lists(st.none() | st.text(max_size=2), max_size=2)
            | st.dictionaries(st.text(max_size=2), st.none() | st.just(1), max_size=2),
        ),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_both_ways_keep_the_same_fields(events: list[dict[str, Any]]) -> None:
    exact = Unread(["type"], is_exact=True)
    sampled = Unread(["type"]).more({name for one in events for name in one})
    assert not sampled.is_exact
    with duckdb.connect() as connection:
        connection.execute(
            "create table lines as select unnest(?) as line, 'f' as _file, 1 as _row",
            [[json.dumps(one) for one in events]],
        )
        for way in (exact, sampled):
            shaped = json_lines({"type": "VARCHAR"}, way)("lines")
            found = connection.execute(f"select _extra from {shaped}").fetchall()
            assert [told(json.loads(text or "{}")) for (text,) in found] == [
                told(one) for one in events
            ]


def told(event: dict[str, Any]) -> dict[str, Any]:
    """What a field is told to be; of a null the sampled way keeps nothing."""
    return {k: v for k, v in event.items() if k != "type" and v is not None}
