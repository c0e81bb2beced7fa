"""The value models' own SQL on CDNOW: x, t_x and T as shipped, the published fit, its holdout."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from tiny_lake import TinyLake

from khach.environment import PROJECT, Environment, load_environment

MODELS = ("customer_purchases.sql", "prediction_settings.sql", "customer_value_fits.py",
    "customer_values.py")  # fmt: skip
# The purchases of the 1/10 sample, in the words of the mart: an order per row, several on a day.
ORDERS = """
select
    cast(cast(sample_id as integer) as varchar) as customer_id, cast(date as date) as ordered_on,
    cast(dollars as decimal(18, 4)) as net_amount, true as is_completed
from read_csv('{file}')
"""


@pytest.fixture(scope="module")
def cdnow() -> Path:
    folder = load_environment().samples / "cdnow"
    if not folder.is_dir():
        pytest.skip(f"no sample data: {folder} is absent ($KHACH_SAMPLES)")
    return folder


@pytest.fixture(scope="module")
def values(cdnow: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The value models alone, over orders read from the sample's file, as of its last day."""
    home = tmp_path_factory.mktemp("cdnow")
    project, models = home / "project", PROJECT / "dbt_project" / "models" / "marts" / "prediction"
    (project / "models").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT / "dbt_project" / name, project)
    shutil.copytree(PROJECT / "dbt_project" / "macros", project / "macros")
    for name in MODELS:
        shutil.copy(models / name, project / "models")
    orders = ORDERS.format(file=cdnow / "cdnow_sample.csv.gz")
    (project / "models" / "orders.sql").write_text(orders)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KHACH_HOME", str(home))
        (home / "config").mkdir()
        env = Environment("dev", home, home / "config", home)
        variables = {"business_time_zone": "UTC", "margin_rate": 0.5, "discount_rate": 0.1}
        lake = TinyLake(env, project, [], as_of="1998-07-01 00:00:00", variables=variables)
        lake.build()
        yield lake


@pytest.mark.samples
def test_purchases_are_those_of_the_shipped_table(values: TinyLake, cdnow: Path) -> None:
    """The calibration ends at week 39, since the second half of the history is held out."""
    found = {
        key: numbers
        for key, *numbers in values.rows(
            "select customer_id, calibration_repeat_day_count, calibration_recency_weeks, "
            "calibration_age_weeks, calibration_repeat_amount from customer_purchases"
        )
    }
    with (cdnow / "cdnow_sample_cbs_39w_with_value.csv").open(encoding="utf-8") as lines:
        shipped = list(csv.DictReader(lines))
    assert len(found) == len(shipped) == 2357
    for row in shipped:
        x, t_x, age, mean = found[row["ID"]]
        assert x == int(row["x"])
        assert abs(t_x - float(row["t_x"])) <= 0.01
        assert abs(age - float(row["T"])) <= 0.01
        assert (mean or 0) == pytest.approx(float(row["zbar"]), abs=0.01)
    weeks, bought = values.rows(
        "select max(holdout_weeks), sum(holdout_day_count) from customer_purchases"
    )[0]
    assert (weeks, bought) == (39, 1882)
    totals = values.rows("select sum(repeat_day_count), max(age_weeks) from customer_purchases")
    assert totals == [(4339, pytest.approx(545 / 7))]


@pytest.mark.samples
def test_accuracy_on_the_held_out_half_is_stored_with_the_fit(values: TinyLake) -> None:
    rows = values.rows("select model, parameter, value, is_refused from customer_value_fits")
    assert not any(is_refused for *_, is_refused in rows)
    fits = {(model, parameter): value for model, parameter, value, _ in rows}
    assert fits["bg_nbd", "holdout_rmse"] == pytest.approx(1.608, abs=2e-3)
    assert fits["bg_nbd", "holdout_total_error"] == pytest.approx(-0.121, abs=1e-3)
    assert fits["bg_nbd", "holdout_top_decile_share"] >= 0.46
    assert fits["bg_nbd", "holdout_naive_rmse"] == pytest.approx(2.212, abs=1e-3)
    assert fits["bg_nbd", "holdout_naive_total_error"] == pytest.approx(0.557, abs=1e-3)
    assert abs(fits["gamma_gamma", "correlation"]) < 0.3


@pytest.mark.samples
def test_every_customer_has_a_chance_and_a_value(values: TinyLake) -> None:
    found = values.rows(
        "select count(*), count(p_alive), count(predicted_clv_12m_amount), min(p_alive), "
        "max(p_alive), min(predicted_clv_12m_amount) from customer_values"
    )[0]
    assert found[:3] == (2357, 2357, 2357)
    assert found[3] > 0
    assert found[4] == 1
    assert found[5] > 0
    singles = values.rows(
        "select distinct p_alive from customer_values join customer_purchases using (customer_id) "
        "where repeat_day_count = 0"
    )
    assert singles == [(1.0,)]
