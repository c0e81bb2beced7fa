"""The retailer's vocabularies are checked before dbt reads them, every row by its line."""

import shutil
from typing import get_args

import pytest

from khach.configuration import check_configuration
from khach.environment import PROJECT, Environment
from khach.errors import ConfigError
from khach.vocabularies import BlockedIdentifier, check_vocabularies

GENERATIONS = "generation,birth_year_from,birth_year_to,label_vi\nx,,1980,X\ny,1981,1996,Y\n"
RATES = "currency,valid_from,rate\nUSD,2026-01-01,25400\n"
BLOCKED = 'identifier_type,pattern,reason\nemail,"^(test|none)@",placeholder\n'
PEOPLE = "province,population_count\nHà Nội,8807523\n"


def _mistakes(env: Environment, name: str, text: str) -> list[ConfigError]:
    (env.config / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        check_vocabularies(env)
    found = refused.value.each()
    assert {problem.file for problem in found} == {str(env.config / name)}
    assert {str(problem) for problem in found} <= {str(p) for p in check_configuration(env)}
    return found


def test_our_own_tables_and_the_templates_are_taken(env: Environment) -> None:
    seeds = PROJECT / "dbt_project/seeds"
    for path in sorted((PROJECT / "khach/templates/sandbox").glob("*.csv")):
        shutil.copy(path, env.config)
    check_vocabularies(env)
    for name in ("generations", "exchange_rates", "blocked_identifiers", "province_population"):
        shutil.copy(seeds / f"{name}.csv", env.config)
        with_mark = "\ufeff" + (seeds / f"{name}.csv").read_text(encoding="utf-8")
        (env.config / f"{name}.csv").write_text(with_mark, encoding="utf-8")
    check_vocabularies(env)


def test_every_type_that_stands_for_somebody_can_be_blocked() -> None:
    lines = (PROJECT / "dbt_project/seeds/identifier_types.csv").read_text().splitlines()[1:]
    types = {line.split(",")[0] for line in lines} - {"unknown"}
    assert set(get_args(BlockedIdentifier.model_fields["identifier_type"].annotation)) == types


@pytest.mark.parametrize(
    ("name", "text", "place", "hint"),
    [
        ("generations.csv", GENERATIONS + "z,1996,2012,Z\n", (4, "birth_year_from"), "generation"),
        ("generations.csv", GENERATIONS + "z,2012,1997,Z\n", (4, None), "before it begins"),
        ("generations.csv", GENERATIONS + "z,97,,Z\n", (4, "birth_year_from"), "1997"),
        ("generations.csv", GENERATIONS + "y,2000,,Y\n", (4, "generation"), "line 3"),
        ("generations.csv", GENERATIONS + "Gen Z,1997,,Z\n", (4, "generation"), "such as"),
        ("generations.csv", GENERATIONS + "unknown,1997,,Z\n", (4, "generation"), "birth year"),
        ("generations.csv", GENERATIONS.replace(",", ";"), (1, None), "semicolons"),
        ("exchange_rates.csv", RATES + "usd,2026-02-01,1\n", (3, "currency"), "VND"),
        ("exchange_rates.csv", RATES + "USD,1.2.2026,1\n", (3, "valid_from"), "2026-06-30"),
        ("exchange_rates.csv", RATES + "USD,2026-02-30,1\n", (3, "valid_from"), "2026-06-30"),
        ("exchange_rates.csv", RATES + "USD,20260201,1\n", (3, "valid_from"), "2026-06-30"),
        ("exchange_rates.csv", RATES + 'USD,2026-02-01,"25.400,5"\n', (3, "rate"), "25400"),
        ("exchange_rates.csv", RATES + "USD,2026-02-01,0\n", (3, "rate"), "more than 0"),
        ("exchange_rates.csv", RATES + "USD,2026-01-01,25500\n", (3, "currency"), "line 2"),
        ("exchange_rates.csv", RATES + "USD,2026-02-01\n", (3, None), "2 values"),
        ("blocked_identifiers.csv", BLOCKED + "mail,x,y\n", (3, "identifier_type"), "email"),
        ("blocked_identifiers.csv", BLOCKED + "phone,(000,y\n", (3, "pattern"), "RE2"),
        ("blocked_identifiers.csv", BLOCKED + "phone,[0-9]*,y\n", (3, "pattern"), "every value"),
        ("blocked_identifiers.csv", BLOCKED + "phone,,y\n", (3, "pattern"), "some text"),
        ("province_population.csv", PEOPLE + "TP. Hà Nội,1\n", (3, "province"), "Hà Nội"),
        ("province_population.csv", PEOPLE + "Kiên Giang,1\n", (3, "province"), "An Giang"),
        ("province_population.csv", PEOPLE + "Huế,1.2\n", (3, "population_count"), "digits"),
        ("province_population.csv", PEOPLE + "Hà Nội,1\n", (3, "province"), "line 2"),
        ("exchange_rate.csv", RATES, (None, None), "exchange_rates.csv"),
    ],
)
def test_a_mistake_is_named_with_line_column_and_remedy(
    env: Environment, name: str, text: str, place: tuple[int | None, str | None], hint: str
) -> None:
    (problem,) = _mistakes(env, name, text)
    assert (problem.line, problem.key) == place
    assert hint in f"{problem.message} {problem.fix}"
    assert problem.fix


def test_every_mistake_is_told_at_once_and_no_value_of_a_row(env: Environment) -> None:
    rows = "USD,secret,secret\nEUR,2026-01-01,secret\nEUR\n"
    found = _mistakes(env, "exchange_rates.csv", RATES + rows)
    assert [problem.line for problem in found] == [3, 3, 4, 5]
    assert "secret" not in str(found)


def test_tables_of_others_may_lie_beside_ours(env: Environment) -> None:
    (env.config / "suppressed.csv").write_text("channel,value\n", encoding="utf-8")
    check_vocabularies(env)
