"""targets.csv is checked before anything runs, and the KPI catalogue is what the marts publish."""

import re
import shutil

import pytest

from khach.config_files import read_yaml
from khach.configuration import check_configuration
from khach.environment import PROJECT, Environment
from khach.errors import ConfigError
from khach.kpi_catalogue import PAGE, bounds_by_kpi, load_catalogue, page, slices_by_kpi
from khach.targets import check_targets

HEADER = "kpi,grain,period_start,slice,slice_value,target\n"
GOOD = "orders,week,2026-06-01,channel,web,400\nopen_rate,day,2026-06-02,all,all,0.35\n"


def _mistakes(env: Environment, rows: str, header: str = HEADER) -> list[ConfigError]:
    (env.config / "targets.csv").write_text(header + rows, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        check_targets(env)
    return refused.value.each()


def test_targets_of_published_kpis_are_taken(env: Environment) -> None:
    check_targets(env)
    (env.config / "targets.csv").write_text("\ufeff" + HEADER + GOOD, encoding="utf-8")
    check_targets(env)
    shutil.copy(PROJECT / "khach/templates/sandbox/targets.csv", env.config)
    check_targets(env)


@pytest.mark.parametrize(
    ("row", "key", "hint"),
    [
        ("ordrs,week,2026-06-01,all,all,400", "kpi", "orders"),
        ("orders,weekly,2026-06-01,all,all,400", "grain", "week"),
        ("orders,week,2026-06-02,all,all,400", "period_start", "2026-06-01"),
        ("orders,month,2026-06-02,all,all,400", "period_start", "2026-06-01"),
        ("orders,day,2.6.2026,all,all,400", "period_start", "date"),
        ("orders,day,2026-06-02,chanel,web,400", "slice", "channel"),
        ("complaint_rate,day,2026-06-02,campaign,x,0.1", "slice", "published"),
        ("orders,day,2026-06-02,channel,all,400", "slice_value", "channel"),
        ("orders,day,2026-06-02,all,all,many", "target", "number"),
        ("orders,day,2026-06-02,all,all,nan", "target", "number"),
        ("orders,day,2026-06-02,all,all,1e30", "target", "number"),
        ("open_rate,day,2026-06-03,all,all,45", "target", "between 0 and 1 0.45 means 45 %"),
        ("open_rate,day,2026-06-03,all,all,100", "target", "1 means 100 %"),
        ("open_rate,day,2026-06-03,all,all,-0.1", "target", "between 0 and 1 a number from 0 to 1"),
        ("reachable_share,day,2026-06-03,all,all,450", "target", "a number from 0 to 1"),
        ("cart_recovery_incremental,day,2026-06-03,all,all,5", "target", "0.05 means 5 %"),
        ("nps,month,2026-06-01,all,all,130", "target", "a number from -100 to 100"),
    ],
)
def test_a_mistake_is_named_with_line_column_and_remedy(
    env: Environment, row: str, key: str, hint: str
) -> None:
    (problem,) = _mistakes(env, GOOD + row + "\n")
    assert problem.file == str(env.config / "targets.csv")
    assert (problem.line, problem.key, problem.exit_code) == (4, key, 2)
    assert hint in f"{problem.message} {problem.fix}"


def test_a_target_at_the_bounds_or_of_what_has_none_is_taken(env: Environment) -> None:
    """Of one order there may be several complaints, and revenue is what it is."""
    rows = "open_rate,day,2026-06-02,all,all,1\nnps,day,2026-06-02,all,all,-100\n"
    rows += "complaint_rate,day,2026-06-02,all,all,1.5\norders,day,2026-06-02,all,all,45\n"
    (env.config / "targets.csv").write_text(HEADER + rows, encoding="utf-8")
    check_targets(env)


def test_every_share_says_what_it_can_be() -> None:
    """Names of shares end so (DESIGN: 0..1)."""
    shares = {name for name in slices_by_kpi() if re.search("_(rate|share)(_|$)", name)}
    assert {name for name, most in bounds_by_kpi().items() if most == (0, 1)} == (
        shares - {"complaint_rate"} | {"csat", "new_reach"}
    )


def test_every_mistake_of_the_file_is_told_at_once(env: Environment) -> None:
    rows = GOOD + GOOD + "orders,day\n" + "ordrs,week,2026-06-01,chan,web,400\n"
    assert [problem.line for problem in _mistakes(env, rows)] == [4, 5, 6, 7]
    (problem,) = _mistakes(env, GOOD, header="kpi,target\n")
    assert problem.line == 1
    (problem,) = _mistakes(env, GOOD.replace(",", ";"), header=HEADER.replace(",", ";"))
    assert "by commas, not by semicolons" in (problem.fix or "")
    told = [problem.file for problem in check_configuration(env)]
    assert str(env.config / "targets.csv") in told


def test_the_catalogue_page_is_what_the_definitions_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m khach.kpi_catalogue"


def test_each_kpi_and_slice_is_defined_once() -> None:
    places = [
        (kpi.name, name)
        for entities in load_catalogue()
        for kpi in entities.kpis
        for name in kpi.slices
    ]
    assert len(places) == len(set(places)) > 400
    assert all("all" in slices for slices in slices_by_kpi().values())


def test_a_unit_cost_of_an_unknown_touch_is_a_mistake(env: Environment) -> None:
    from khach.settings import load_settings

    (env.config / "settings.yml").write_text("unit_costs: {email: 30, call: 900, smss: 800}\n")
    with pytest.raises(ConfigError) as refused:
        load_settings(env)
    assert "sms" in refused.value.message
    assert read_yaml(env.config / "settings.yml").line(("unit_costs",)) == refused.value.line
