"""Snowplow's and Google Analytics' events land whole, in every form that these are delivered in."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from landed_data import Configure, quarantined, rows_of
from vendor_events import GA4, SNOWPLOW, sdk, tsv

from ingestion.run import ingest
from khach.environment import Environment
from khach.errors import ConfigError
from khach.state import open_state

CONFIG = """sources:
  web:
    kind: KIND
    area: web
    folder: FOLDER
    from: "*"
"""
SNOWPLOW_COLUMNS = (
    "event_type, action ->> '$.type', products ->> '$[0].name', json_array_length(products), "
    "cart ->> '$.cart_id', purchase ->> '$.transaction_id', shopper ->> '$.email', "
    "unstruct_event ->> '$.data.data.terms[0]'"
)


def land(env: Environment, configure: Configure, kind: str, path: Path, lines: list[bytes]) -> Any:
    configure(CONFIG.replace("KIND", kind))
    data = b"\n".join(lines)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    load = ingest(env, "web")
    assert load is not None
    return load.tables["events"]


@pytest.mark.parametrize(("write", "name"), [(tsv, "part-0.tsv.gz"), (sdk, "part-0.json")])
def test_snowplow_lands_the_same_from_tsv_and_from_json(
    env: Environment, configure: Configure, folder: Path, write: Any, name: str
) -> None:
    bad = {
        9: (b"shop\tweb", "2 fields instead of 131"),
        10: (b'{"event_id": "x"', "not valid JSON"),
        11: (tsv({**SNOWPLOW[0], "derived_tstamp": "soon"}).encode(), "occurred_at: aaaa is not"),
        12: (tsv({**SNOWPLOW[0], "event_id": ""}).encode(), "event_id is missing"),
        13: (tsv(SNOWPLOW[0]).encode() + b"\xff", "invalid UTF-8"),
        14: (b"", "blank line"),
    }
    lines = [write(event).encode() for event in SNOWPLOW]
    lines += [original for original, _ in bad.values()]
    counts = land(env, configure, "snowplow", folder / name, [*lines, b"\t"])
    assert (counts.rows_offered, counts.rows_landed, counts.rows_quarantined) == (15, 8, 7)
    refused = {row["line"]: row for row in quarantined(env, "web", "events", name)}
    for line, (original, reason) in bad.items():
        assert reason in refused[line]["reason"]
        assert base64.b64decode(refused[line]["original"]) == original
    assert rows_of(env, "web", "events", f"_row, right(event_id, 1), {SNOWPLOW_COLUMNS}") == [
        (1, "1", "page_view", None, None, None, None, None, None, None),
        (2, "2", "unstruct", None, None, None, None, None, None, "áo"),
        (3, "3", "unstruct", "product_view", "Áo thun", 1, None, None, None, None),
        (4, "4", "unstruct", "add_to_cart", "Áo thun", 2, "S1", None, None, None),
        (5, "5", "unstruct", "checkout_step", None, None, "S1", None, None, None),
        (6, "6", "unstruct", "transaction", "Áo thun", 1, None, "W1", "lan@hoa.example", None),
        (7, "7", "struct", None, None, None, None, None, None, None),
        (8, "8", "unstruct", None, None, None, None, None, None, None),
    ]
    assert rows_of(
        env, "web", "events", "count(*), min(occurred_at)::varchar, max(collector_tstamp)::varchar"
    ) == [(8, "2026-03-01 03:00:00", "2026-03-01 04:40:00")]


def test_a_day_of_ga4_that_is_exported_again_has_the_same_event_ids(
    env: Environment, configure: Configure, folder: Path
) -> None:
    lines = [json.dumps(event, ensure_ascii=False).encode() for event in GA4]
    bad = b'{"event_name": "page_view", "event_timestamp": "soon"}'
    counts = land(env, configure, "ga4", folder / "events_1.ndjson.gz", [*lines, bad])
    assert (counts.rows_offered, counts.rows_landed, counts.rows_quarantined) == (8, 7, 1)
    [refused] = quarantined(env, "web", "events", "events_1.ndjson.gz")
    assert base64.b64decode(refused["original"]) == bad
    restated = lines[:1] + [line.replace(b"vi-vn", b"vi") for line in lines[1:]]
    land(env, configure, "ga4", folder / "events_2.ndjson.gz", restated)
    assert rows_of(env, "web", "events", "count(*), count(distinct event_id)") == [(14, 7)]
    first = "_row, occurred_at::varchar, event_name, user_id, ecommerce ->> '$.transaction_id'"
    assert (6, "2026-03-01 03:05:00", "purchase", "U1", "W1") in rows_of(
        env, "web", "events", first
    )


def test_ga4_lands_from_parquet_too_and_one_source_is_one_format(
    env: Environment, configure: Configure, folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "events.ndjson"
    source.write_text("\n".join(json.dumps(event) for event in GA4))
    duckdb.sql(
        "copy (select * replace (cast(event_timestamp as bigint) as event_timestamp) from "
        f"read_json('{source}') union all by name select 'x' as event_name) "
        f"to '{folder}/events.parquet'"
    )
    configure(CONFIG.replace("KIND", "ga4"))
    load = ingest(env, "web")
    assert load is not None
    counts = load.tables["events"]
    assert (counts.rows_offered, counts.rows_landed, counts.rows_quarantined) == (8, 7, 1)
    [found] = rows_of(
        env, "web", "events", "min(occurred_at)::varchar, max(items ->> '$[1].item_id')"
    )
    assert found == ("2026-03-01 03:00:00", "P2")
    (folder / "b.ndjson").write_text("")
    (folder / "c.parquet").write_bytes((folder / "events.parquet").read_bytes())
    with pytest.raises(ConfigError, match=r"formats \['ndjson', 'parquet'\]"):
        ingest(env, "web")


def write_events(path: Path, events: list[dict[str, Any]], scratch: Path) -> None:
    """As NDJSON, or by way of it as Parquet."""
    scratch.write_text("\n".join(json.dumps(event) for event in events))
    if path.suffix == ".parquet":
        duckdb.sql(
            "copy (select * replace (cast(event_timestamp as bigint) as event_timestamp) from "
            f"read_json('{scratch}')) to '{path}'"
        )
    else:
        path.write_bytes(scratch.read_bytes())


@pytest.mark.parametrize("field", ["unstruct_event", "contexts"])
def test_snowplow_json_that_is_cut_off_refuses_its_line_alone(
    env: Environment, configure: Configure, folder: Path, field: str
) -> None:
    cut = tsv({**SNOWPLOW[1], field: '{"schema": "x", "data": {"e'}).encode()
    lines = [tsv(SNOWPLOW[0]).encode(), cut, tsv(SNOWPLOW[2]).encode()]
    counts = land(env, configure, "snowplow", folder / "part.tsv", lines)
    assert (counts.rows_landed, counts.rows_quarantined) == (2, 1)
    [refused] = quarantined(env, "web", "events", "part.tsv")
    assert (refused["line"], refused["reason"]) == (2, f"{field}: not valid JSON")
    assert base64.b64decode(refused["original"]) == cut


@pytest.mark.parametrize("kind", ["ga4 ndjson", "ga4 parquet", "snowplow json"])
def test_a_field_that_no_release_had_lands_and_is_told(
    env: Environment, configure: Configure, folder: Path, tmp_path: Path, kind: str
) -> None:
    source, form = kind.split()
    plain = [event | {} for event in GA4] if source == "ga4" else [
        json.loads(sdk(event)) for event in SNOWPLOW
    ]  # fmt: skip
    configure(CONFIG.replace("KIND", source))
    for number, more in enumerate(({}, {"trust": {"score": 7}}), 1):
        events = [one | more for one in plain]
        write_events(folder / f"events_{number}.{form}", events, tmp_path / "scratch.ndjson")
        load = ingest(env, "web")
        assert load is not None
        assert load.tables["events"].rows_quarantined == 0
    with open_state(env) as state:
        told = state.execute("select column_name, old_type, new_type from schema_changes")
        typed = "STRUCT(score BIGINT)" if form == "parquet" else "OBJECT"  # Parquet says more
        assert told.fetchall() == [("trust", None, typed)]
    counted = "count(*), count(_extra -> '$.trust'), max(_extra ->> '$.trust.score')"
    assert rows_of(env, "web", "events", counted) == [(2 * len(plain), len(plain), "7")]
