"""Ground truth, apart from everything the pipeline reads: who is who, whose record is whose,
and what campaigns really did."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sandbox import names
from sandbox.canaries import listing
from sandbox.draw import label, take
from sandbox.files import write_json, write_whole
from sandbox.true_effects import effects
from sandbox.world import World


def write(root: Path, world: World) -> None:
    """Rewrite `truth/` as of the world's day; the same day gives the same rows."""
    folder = root / "truth"
    last = world.date_of(world.day).isoformat()
    days = [p for p in sorted((folder / "days").glob("*.parquet")) if p.stem <= last]
    with duckdb.connect() as con:
        # The first owner of a record counts; cookies and devices may have several persons.
        query = (
            "select source, record_kind, "
            # where the id is made of an address, delivered records carry its MD5
            "if(source = 'email' or record_kind = 'experiments', md5(record_id), record_id) "
            "as record_id, person_id from read_parquet($1) "
            "group by all order by all"
        )
        records = con.execute(query, [[str(p) for p in days]]).to_arrow_table()
    write_whole(folder / "records.parquet", lambda p: pq.write_table(records, p))
    write_whole(folder / "people.parquet", lambda p: pq.write_table(people_table(world), p))
    write_whole(folder / "effects.parquet", lambda p: pq.write_table(effects(world), p))
    if world.emails is not None:
        write_json(folder / "canaries.json", listing(world.names, world.emails))


def people_table(world: World) -> pa.Table:
    """Everybody who has appeared so far: person_id, attributes, all contacts they may use."""
    here = np.flatnonzero(world.p["starts_on"] <= world.day)
    p = {name: column[here] for name, column in world.p.items()}
    slots = np.stack([p["email0"], p["email1"], p["email2"]], axis=1)
    places = names.provinces()
    phones = [pc.binary_join_element_wise("+84", pc.cast(pa.array(p[c], pa.int64()), pa.string()),
                                          "") for c in ("phone", "phone2")]  # fmt: skip
    return pa.table({
        "person_id": label("P", here),
        "household_id": label("H", p["household"].astype(np.int64)),
        "full_name": take(world.names["full_name"], here),
        "birth_date": pa.array(p["birth_day"], pa.int32()).cast(pa.date32()),
        "gender": take(["female", "male"], p["gender"]),
        "generation": take(names.GENERATIONS, p["generation"]),
        "marital_status": take(names.MARITAL, p["marital"]),
        "occupation": take(names.OCCUPATIONS, p["occupation"]),
        "income_band": take(names.INCOME_BANDS, p["income"]),
        "province": take([place.name for place in places], p["province"]),
        "value": take(names.VALUES, p["value"]),
        "email": take(world.emails, slots[:, 0]),
        "second_email": take(world.emails, slots[:, 1]),
        "third_email": take(world.emails, slots[:, 2]),
        "phone": phones[0], "second_phone": phones[1],
        "user_id": pc.if_else(pa.array(p["account"] >= 0), label("U", p["account"]), None),
        "member_number": pc.if_else(pa.array(p["card"] >= 0), label("KH", p["card"]), None),
        "appeared_on_day": pa.array(p["starts_on"], pa.int32()),
    })  # fmt: skip
