"""Web events: no line is lost, whatever its bytes are."""

import base64
import codecs
import gzip
import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from landed_data import Configure, quarantined, rows_of

from ingestion.lake import committed_loads
from ingestion.quarantine import quarantine_path
from ingestion.replay import replay
from ingestion.run import ingest
from ingestion.sources.segment import SPEC, SegmentConfig
from ingestion.spec import Extract, FetchContext, Seen
from khach.environment import Environment
from khach.errors import KhachError
from khach.progress import Silent

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
        10: (b'{"messageId":"x","timestamp":"2026-01-01T00:00:00Z"}}', "not valid JSON"),
        11: (b"null", "missing"),
    }
    rows = [event(1, event="Đặt hàng", userId=5, properties={"a": [1]}, traits=None)]
    rows += [original for original, _ in bad.values()] + [event(2)]
    (folder / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(rows)))
    load = ingest(env, "web")
    assert load is not None
    counts = load.tables["events"]
    assert (counts.rows_offered, counts.rows_landed, counts.rows_quarantined) == (12, 2, 10)
    columns = "message_id, event, user_id, occurred_at::varchar, properties, traits, _row"
    assert rows_of(env, "web", "events", columns) == [
        ("m1", "Đặt hàng", "5", "2026-01-01 00:00:00.5", '{"a":[1]}', None, 1),
        ("m2", None, None, "2026-01-01 00:00:00.5", None, None, 12),
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


def read(env: Environment, *paths: Path) -> tuple[Extract, dict]:
    """What the source makes of some files, without the lake; the quarantine by file and line."""
    env.scratch.mkdir(parents=True, exist_ok=True)
    config = SegmentConfig.model_validate(
        {"name": "web", "kind": "segment", "area": "web", "folder": str(paths[0].parent)}
        | {"from": "*.ndjson*"}
    )
    extract = SPEC.fetch(FetchContext(env, config, Seen(), env.scratch, Silent()))
    assert extract is not None
    refused = {p.name: quarantined(env, "web", "events", p.name) for p in paths}
    return extract, {name: {row["line"]: row for row in rows} for name, rows in refused.items()}


@pytest.mark.parametrize("cores", [2, 8])
def test_lines_keep_their_numbers_across_many_files_read_at_once(
    env: Environment, folder: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    paths = []
    for number in range(4):
        path = folder / f"{number}.ndjson"
        lines = [event(row, userId=f"{number}-{row}") for row in range(1, 60_001)]
        lines[41] = b"broken"
        path.write_bytes(b"\n".join(lines) + b"\n" * (number % 2))
        paths.append(path)
    extract, refused = read(env, *paths)
    assert {name: list(rows) for name, rows in refused.items()} == {
        f"{number}.ndjson": [42] for number in range(4)
    }
    counted = duckdb.execute(
        "select count(*), count(*) filter (user_id != split_part(_file, '.', 1) || '-' || _row), "
        "count(distinct (_file, _row)) from read_parquet(?)",
        [str(extract.files["events"])],
    ).fetchone()
    assert counted == (4 * 59_999, 0, 4 * 59_999)


def test_a_line_is_whole_wherever_the_bytes_are_cut(
    env: Environment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.lines._CHUNK", 7)
    monkeypatch.setattr("ingestion.textfiles.LONGEST_LINE", 300)
    path = folder / "x.ndjson.gz"
    lines = [
        event(1, userId="Đặt"),
        event(2, userId="x" * 300),
        event(3) + b"\r",
        b"\xff",
        event(5),
    ]
    path.write_bytes(gzip.compress(codecs.BOM_UTF8 + b"\n".join(lines)))
    extract, refused = read(env, path)
    rows = duckdb.sql(f"select message_id, user_id, _row from '{extract.files['events']}'")
    assert sorted(rows.fetchall()) == [("m1", "Đặt", 1), ("m3", None, 3), ("m5", None, 5)]
    reasons = {line: row["reason"] for line, row in refused[path.name].items()}
    assert reasons == {2: "longer than 300 bytes", 4: "invalid UTF-8 at byte 1"}


WHOLE = gzip.compress(b"\n".join(event(n) for n in range(1000)))


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(WHOLE[:-9], id="cut off"),
        pytest.param(WHOLE[:500] + b"\xff" * 40 + WHOLE[540:], id="bytes changed"),
        pytest.param(WHOLE[:-8] + bytes(4) + WHOLE[-4:], id="checksum changed"),
        pytest.param(b"{}" + WHOLE, id="no gzip"),
    ],
)
def test_a_damaged_file_lands_nothing_and_is_named(
    env: Environment, configure: Configure, folder: Path, damaged: bytes
) -> None:
    configure(WEB)
    (folder / "a.ndjson.gz").write_bytes(WHOLE)
    (folder / "b.ndjson.gz").write_bytes(damaged)
    with pytest.raises(KhachError, match=r"b\.ndjson\.gz is not a complete gzip file"):
        ingest(env, "web")
    assert committed_loads(env, "web") == []


@example(lines=[codecs.BOM_UTF8], has_last_newline=True)
@example(lines=[codecs.BOM_UTF8], has_last_newline=False)
@given(
    lines=st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([b"", codecs.BOM_UTF8]),
            st.sampled_from([event(1), event(2) + b"\r", event(1) + b" ", event(2) + b"}"]),
        ),
        max_size=12,
    ),
    has_last_newline=st.booleans(),
)
def test_every_line_is_landed_or_quarantined_byte_for_byte(
    env: Environment, folder: Path, lines: list[bytes], has_last_newline: bool
) -> None:
    data = b"\n".join(lines) + (b"\n" if has_last_newline else b"")
    path = folder / "x.ndjson"
    path.write_bytes(data)
    data = data.removeprefix(codecs.BOM_UTF8)  # the file's, not the first line's
    extract, refused_by_file = read(env, path)
    refused = refused_by_file[path.name]
    physical = data.split(b"\n")
    physical = physical[:-1] if physical[-1] == b"" else physical
    [delivery] = extract.deliveries
    assert delivery.rows_offered == len(physical)
    assert delivery.rows_landed + len(refused) == len(physical)
    for number, row in refused.items():
        assert base64.b64decode(row["original"]) == physical[number - 1].rstrip(b"\r")
    is_event = [line.rstrip(b"\r ") in (event(1), event(2)) for line in physical]
    assert refused.keys() == {n for n, ok in enumerate(is_event, 1) if not ok}


def test_long_lines_need_no_more_memory(
    env: Environment, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.parquet._MEMORY", "400MB")
    path, many = folder / "x.ndjson", 8_000
    with path.open("wb") as out:
        for number in range(many):
            out.write(event(number, properties={"text": f"{number}" + "x" * 60_000}) + b"\n")
    extract, refused = read(env, path)
    assert refused[path.name] == {}
    counted = duckdb.execute(
        "select count(*), min(length(properties)) from read_parquet(?)",
        [str(extract.files["events"])],
    ).fetchone()
    assert counted is not None and counted[0] == many and counted[1] > 60_000
