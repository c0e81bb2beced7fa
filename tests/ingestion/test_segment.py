"""Web events: no line is lost, whatever its bytes are."""

import base64
import gzip
import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from landed_data import Configure, quarantined, rows_of

from ingestion.delivered import LocalFile
from ingestion.quarantine import quarantine_path
from ingestion.replay import replay
from ingestion.run import ingest
from ingestion.sources.segment import _land_events
from khach.environment import Environment

WEB = """sources:
  web:
    kind: segment
    area: web
    folder: FOLDER
    from: "*.ndjson.gz"
"""


def event(number: int, **fields: object) -> bytes:
    base = {"messageId": f"m{number}", "type": "track", "timestamp": "2026-01-01T07:00:00.5+07:00"}
    return json.dumps({**base, **fields}, ensure_ascii=False).encode()


def test_events_land_typed_and_bad_lines_are_quarantined_with_line_and_bytes(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(WEB)
    bad = {
        2: (b"", "blank line"),
        3: (b'{"messageId":"x"}', "occurred_at is missing"),
        4: (b"{bad", "not valid JSON"),
        5: (b'{"messageId":"\xff","timestamp":"2026-01-01T00:00:00Z"}', "invalid UTF-8"),
        6: (b'{"timestamp":"2026-01-01T00:00:00Z"}', "message_id is missing"),
        7: (event(7).replace(b"2026", b"year"), "occurred_at: aaaa-99-99a99:99:99.9"),
        8: (b"[1]", "missing"),
        9: (b"a\x01b", "control character"),
    }
    rows = [event(1, event="Đặt hàng", userId=5, properties={"a": [1]}, traits=None)]
    rows += [original for original, _ in bad.values()] + [event(2)]
    (folder / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(rows)))
    load = ingest(env, "web")
    assert load is not None
    counts = load.tables["events"]
    assert (counts.rows_offered, counts.rows_landed, counts.rows_quarantined) == (10, 2, 8)
    columns = "message_id, event, user_id, occurred_at::varchar, properties, traits, _row"
    assert rows_of(env, "web", "events", columns) == [
        ("m1", "Đặt hàng", "5", "2026-01-01 00:00:00.5", '{"a":[1]}', None, 1),
        ("m2", None, None, "2026-01-01 00:00:00.5", None, None, 10),
    ]
    refused = {row["line"]: row for row in quarantined(env, "web", "events", "a.ndjson.gz")}
    assert refused.keys() == bad.keys()
    for line, (original, reason) in bad.items():
        assert reason in refused[line]["reason"]
        assert base64.b64decode(refused[line]["original"]) == original
    # Nothing was fixed, so nothing passes; a release that reads line 7 lands it as line 7.
    assert replay(env, "web").load is None
    assert quarantined(env, "web", "events", "a.ndjson.gz") == list(refused.values())
    path = quarantine_path(env, "web", "events", "a.ndjson.gz")
    was, repaired = (base64.b64encode(line).decode() for line in (bad[7][0], event(7)))
    path.write_text(path.read_text().replace(was, repaired))
    assert replay(env, "web").load is not None
    assert rows_of(env, "web", "events", "message_id, _file, _row")[-1] == ("m7", "a.ndjson.gz", 7)
    assert 7 not in {row["line"] for row in quarantined(env, "web", "events", "a.ndjson.gz")}


def test_lines_keep_their_numbers_across_many_files_read_at_once(tmp_path: Path) -> None:
    new = []
    for number in range(4):
        path = tmp_path / f"{number}.ndjson"
        lines = [event(row, userId=f"{number}-{row}") for row in range(1, 60_001)]
        lines[41] = b"broken"
        path.write_bytes(b"\n".join(lines) + b"\n")
        new.append(LocalFile(path.name, path, ""))
    target = tmp_path / "events.parquet"
    landed, _ = _land_events(new, tmp_path, target)
    assert {name: [row.line for row in rows] for name, rows in landed.refused.items()} == {
        f"{number}.ndjson": [42] for number in range(4)
    }
    import duckdb

    wrong = duckdb.execute(
        "select count(*) from read_parquet(?) where user_id != "
        "split_part(_file, '.', 1) || '-' || _row",
        [str(target)],
    ).fetchone()
    assert wrong == (0,)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=20), st.just(b""), st.sampled_from([event(1), event(2) + b"\r"])
        ),
        max_size=12,
    ),
    has_last_newline=st.booleans(),
)
def test_every_line_is_landed_or_quarantined_byte_for_byte(
    tmp_path: Path, lines: list[bytes], has_last_newline: bool
) -> None:
    data = b"\n".join(lines) + (b"\n" if has_last_newline else b"")
    path = tmp_path / "x.ndjson"
    path.write_bytes(data)
    landed, reading = _land_events(
        [LocalFile(path.name, path, "")], tmp_path, tmp_path / "events.parquet"
    )
    physical = data.split(b"\n")
    physical = physical[:-1] if physical[-1] == b"" else physical
    refused = landed.refused.get("x.ndjson", [])
    assert reading.offered["x.ndjson"] == len(physical)
    assert landed.landed.get("x.ndjson", 0) + len(refused) == len(physical)
    for row in refused:
        assert row.original == physical[row.line - 1].rstrip(b"\r")
    is_event = [line.rstrip(b"\r") in (event(1), event(2)) for line in physical]
    assert {row.line for row in refused} == {n for n, ok in enumerate(is_event, 1) if not ok}
