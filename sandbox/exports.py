"""Writes a day's delivery as files, each whole or not at all: written beside, then renamed.

The same day written twice gives the same bytes.
"""

from __future__ import annotations

import gzip
import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from sandbox.delivery import CHANNELS, CRM, EMAIL, SHOP, TILLS, WEB, Delivery
from sandbox.events import broken_lines
from sandbox.files import write_folder, write_whole
from sandbox.schemas import (
    CRM_TABLES,
    EXPERIMENTS,
    JOURNAL_TABLES,
    MAIL_TABLES,
    SHOP_TABLES,
    SURVEY_RESPONSES,
    TILL_TABLES,
    TRUTH_RECORDS,
)


def write_day(root: Path, d: Delivery) -> None:
    """Every file of the day under `root` (the sandbox folder)."""
    date = d.world.date_of(d.day).isoformat()
    exports = root / "exports"
    write_whole(exports / "web_events" / f"events-{date}.ndjson.gz", lambda p: _events(p, d))
    for name, schema in SHOP_TABLES.items():
        table = whole(d, SHOP, name, schema)
        write_whole(exports / "web_shop" / f"{name}-{date}.csv", partial(_csv, table))
    write_whole(exports / f"web_shop/surveys-{date}.ndjson", lambda p: _surveys(p, d))
    groups = whole(d, SHOP, "experiments", EXPERIMENTS)
    write_whole(
        exports / f"web_shop/experiments-{date}.parquet", lambda p: pq.write_table(groups, p)
    )
    for name, schema in CRM_TABLES.items():
        table = whole(d, CRM, name, schema)
        write_whole(exports / "crm" / f"{name}-{date}.csv", partial(_csv, table))
    for name, schema in JOURNAL_TABLES.items():
        table = whole(d, "journal", name, schema)
        path = root / f"truth/journal/{name}-{date}.parquet"
        write_whole(path, partial(pq.write_table, table))
    records = whole(d, "truth", "records", TRUTH_RECORDS)
    write_whole(root / f"truth/days/{date}.parquet", lambda p: pq.write_table(records, p))
    write_folder(root / "tills" / "inbox" / date, lambda p: _till_files(p, d))
    write_folder(root / "mailchimp" / "inbox" / date, lambda p: _mail_files(p, d))
    if replies := d.tables.get((CHANNELS, "replies")):
        lines = pa.concat_tables(replies).to_pylist()
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_whole(
            root / f"channels/inbox/{date}.ndjson", lambda p: p.write_text(text, encoding="utf-8")
        )


def whole(d: Delivery, area: str, name: str, schema: pa.Schema) -> pa.Table:
    """All rows of one delivered table in its fixed columns; no rows gives an empty table."""
    parts = d.tables.get((area, name), [])
    if not parts:
        return schema.empty_table()
    return pa.concat_tables([part.select(schema.names).cast(schema) for part in parts])


def _csv(table: pa.Table, path: Path) -> None:
    csv.write_csv(table, path)


def _events(path: Path, d: Delivery) -> None:
    """Gzipped NDJSON with the broken lines among the good ones."""
    parts = d.tables.get((WEB, "lines"), [])
    lines = pa.concat_tables(parts)["line"] if parts else pa.chunked_array([[]], pa.string())
    rng = d.rng("broken")
    text = _join(lines)
    broken = broken_lines(lines, rng)
    places = np.sort(rng.integers(0, max(len(text), 1), len(broken)))
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as out:
        done = 0
        for place, line in zip(places.tolist(), broken, strict=True):
            cut = text.find(b"\n", place) + 1
            out.write(text[done:cut])
            out.write(line + b"\n")
            done = cut
        out.write(text[done:])


def _join(lines: pa.ChunkedArray) -> bytes:
    """The lines' bytes, each ended by a newline."""
    buffer = io.BytesIO()
    for chunk in lines.chunks:
        one = pa.ListArray.from_arrays(pa.array([0, len(chunk)], pa.int32()), chunk)
        if len(chunk):
            buffer.write(pc.binary_join(one, "\n")[0].as_buffer())
            buffer.write(b"\n")
    return buffer.getvalue()


def _surveys(path: Path, d: Delivery) -> None:
    """NDJSON; `answers` is a nested object."""
    answers = whole(d, SHOP, "survey_responses", SURVEY_RESPONSES).to_pylist()
    with path.open("w", encoding="utf-8") as out:
        for answer in answers:
            answer["answers"] = json.loads(answer["answers"])
            answer["answered_at"] = answer["answered_at"].isoformat(sep=" ")
            out.write(json.dumps(answer, ensure_ascii=False, separators=(",", ":")) + "\n")


def _till_files(folder: Path, d: Delivery) -> None:
    for name, schema in TILL_TABLES.items():
        _csv(whole(d, TILLS, name, schema), folder / f"{name}.csv")


def _mail_files(folder: Path, d: Delivery) -> None:
    for name, schema in MAIL_TABLES.items():
        pq.write_table(whole(d, EMAIL, name, schema), folder / f"{name}.parquet")
