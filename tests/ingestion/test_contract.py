"""The schema contract: a flip stops its table by name, and no other; what is new is reported."""

import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed_data import Configure, rows_of

from ingestion import verdicts
from ingestion.contract import Contract, ContractError, judge, read_changes, read_contract
from ingestion.lake import committed_loads, deliveries
from ingestion.run import ingest, pending_loads
from khach.environment import Environment
from khach.overview import overview
from orchestration import stages
from orchestration.session import open_session

SHOP = """sources:
  shop:
    kind: files
    area: web
    folder: FOLDER
    tables:
      payments:
        from: "payments*.parquet"
        columns: {payment_id: id, amount: amount}
      campaigns:
        from: "campaigns*.ndjson"
        columns: {campaign_id: id, cost: cost}
"""


def parquet(folder: Path, name: str, columns: str) -> None:
    duckdb.sql(f"copy (select {columns}) to '{folder / name}' (format parquet)")


def ndjson(folder: Path, name: str, *rows: dict) -> None:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def changes(env: Environment) -> list[tuple[str, str, str | None, str | None]]:
    """All reported changes, in the order of the loads."""
    loads = [load.load_id for load in committed_loads(env, "shop")]
    return [
        (one.table, one.column, one.old_type, one.new_type)
        for load in loads
        for _, found in deliveries(env, "shop", [load])
        if found.columns
        for one in read_changes(found.table_name, found.columns)
    ]


def test_a_flip_stops_its_table_and_a_changed_mapping_accepts_it(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    parquet(folder, "payments-1.parquet", "1::bigint as id, 10::bigint as amount, 'x' as note")
    ndjson(folder, "campaigns-1.ndjson", {"id": "a", "cost": 5})
    assert ingest(env, "shop") is not None
    parquet(folder, "payments-2.parquet", "2 as id, '1,75 đ' as amount, 1 as note, true as fresh")
    ndjson(folder, "campaigns-2.ndjson", {"id": "b", "cost": 6, "audience": "x", "more": [1]})
    with pytest.raises(ContractError) as caught:
        ingest(env, "shop")
    error = caught.value
    assert error.exit_code == 3
    for part in ("source shop", "payments", "amount", "BIGINT", "VARCHAR", "(values like 9,99 a)"):
        assert part in error.message
    assert "1,75" not in str(error)
    assert (error.line, error.key) == (9, "sources.shop.tables.payments.columns")
    assert error.load is not None
    assert error.load.tables.keys() == {"campaigns"}
    assert len(rows_of(env, "shop", "campaigns", "_row")) == 2
    assert len(rows_of(env, "shop", "payments", "_row")) == 1
    with pytest.raises(ContractError) as again:  # until somebody does something
        ingest(env, "shop")
    assert again.value.load is None
    configure(SHOP.replace("amount: amount", "amount: \"replace(left(amount, 4), ',', '.')\""))
    assert ingest(env, "shop") is not None
    assert len(rows_of(env, "shop", "payments", "_row")) == 2
    assert changes(env) == [
        ("campaigns", "audience", None, "TEXT"),
        ("campaigns", "more", None, "ARRAY"),
        ("payments", "amount", "BIGINT", "VARCHAR"),
        ("payments", "fresh", None, "BOOLEAN"),
        ("payments", "note", "VARCHAR", "INTEGER"),
    ]


@pytest.mark.parametrize(
    ("value", "type_"), [({"eur": 5}, "OBJECT"), ("five", "TEXT"), ([5], "ARRAY")]
)
def test_a_json_number_that_becomes_something_else_stops_the_table(
    env: Environment, configure: Configure, folder: Path, value: object, type_: str
) -> None:
    configure(SHOP)
    ndjson(folder, "campaigns-1.ndjson", {"id": "a", "cost": 5})
    ingest(env, "shop")
    # One odd value among many is a matter of its row, not of the table.
    rows = [{"id": str(n), "cost": 1.5} for n in range(3)]
    ndjson(folder, "campaigns-2.ndjson", {"id": "odd", "cost": value}, *rows)
    load = ingest(env, "shop")
    assert load is not None
    assert load.tables["campaigns"].rows_quarantined == 1
    ndjson(folder, "campaigns-3.ndjson", {"id": "z", "cost": value}, {"id": "y", "cost": None})
    with pytest.raises(ContractError, match=f"campaigns: column cost .* NUMBER to {type_}"):
        ingest(env, "shop")


def test_a_rejected_load_and_a_column_without_values_freeze_nothing(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    parquet(folder, "payments-1.parquet", "1 as id, null::int as amount")
    ingest(env, "shop")
    parquet(folder, "payments-2.parquet", "2 as id, '5' as amount")
    first = ingest(env, "shop")
    assert first is not None
    verdicts.reject(env, "shop", first.load_id, by="gate", reason="wrong")
    parquet(folder, "payments-3.parquet", "3 as id, 5.5::double as amount")
    assert ingest(env, "shop") is not None
    parquet(folder, "payments-4.parquet", "4 as id, null::varchar as amount")
    assert ingest(env, "shop") is not None
    parquet(folder, "payments-5.parquet", "5 as id, 5::decimal(9, 2) as amount")  # a number still
    assert ingest(env, "shop") is not None
    parquet(folder, "payments-6.parquet", "6 as id, date '2026-01-01' as amount")
    with pytest.raises(ContractError, match=r"from DECIMAL\(9,2\) to DATE \(values like 9999-99"):
        ingest(env, "shop")


def test_the_run_is_stopped_at_gate_1_after_the_others_were_judged(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    (env.config / "settings.yml").write_text("as_of: latest\n")
    parquet(folder, "payments-1.parquet", "1 as id, 10::bigint as amount")
    ndjson(folder, "campaigns-1.ndjson", {"id": "a", "cost": 5})
    load = ingest(env, "shop")
    assert load is not None
    verdicts.accept(env, "shop", load.load_id, by="me", reason="")
    parquet(folder, "payments-2.parquet", "2 as id, 'x' as amount")
    ndjson(folder, "campaigns-2.ndjson", {"id": "b", "cost": 5})
    with open_session(env, stages=("ingest",)) as session:
        landed = stages.ingest_source(session, "shop")
        verdict = stages.judge_landing(session, "shop")
    assert landed is not None
    assert pending_loads(env) == []
    assert verdict.problem is not None
    assert verdict.problem.exit_code == 3
    (stopped,) = verdict.of("payments")
    assert stopped.check_name == "landing.shop.payments.contract"
    assert stopped.is_blocking
    assert verdicts.verdict(env, "shop", landed.load_id) == "accepted"
    ndjson(folder, "campaigns-3.ndjson", {"id": "c", "cost": 5, "colour": "đỏ"})
    with open_session(env, stages=("ingest",)) as session:
        stages.ingest_source(session, "shop")
    (change,) = overview(env)["schema_changes"]
    assert (change["column_name"], change["new_type"]) == ("colour", "TEXT")


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "B", "c"]),
            st.sampled_from(["BIGINT", "DOUBLE", "VARCHAR", "INTEGER[]", None]),
        ),
        max_size=6,
    )
)
def test_no_type_that_is_read_ever_changes_its_family_unseen(sequence: list[dict]) -> None:
    contract: Contract | None = None
    first: dict[str, str] = {}
    family = {"BIGINT": "number", "DOUBLE": "number", "VARCHAR": "text", "INTEGER[]": "array"}
    for delivered in sequence:
        record, flip = judge("t", contract, "m", delivered, ["a", "b"])
        broken = [
            name for name, type_ in delivered.items()
            if type_ and name != "c" and first.get(name, family[type_]) != family[type_]
        ]  # fmt: skip
        assert (flip is not None) == bool(broken)
        if flip is None:
            contract = read_contract(record)
            for name, type_ in delivered.items():
                if type_:
                    first.setdefault(name, family[type_])
