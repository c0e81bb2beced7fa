"""The seeds of places: complete, of one list, and folded as the models fold."""

import csv
from pathlib import Path

import duckdb
import pytest

from khach.environment import PROJECT
from khach.names import fold

SEEDS = PROJECT / "dbt_project" / "seeds"


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def test_every_spelling_is_one_of_34_provinces_and_every_ward_stands_in_one() -> None:
    spellings, wards = seed("province_spellings"), seed("wards")
    provinces = {row["province"] for row in spellings}
    assert len(provinces) == 34
    assert {row["province"] for row in wards} == provinces
    assert len({(row["province"], row["ward"]) for row in wards}) == len(wards) == 3321
    keys = [row["spelling"] for row in spellings]
    assert len(set(keys)) == len(keys)
    assert {fold(name).replace(" ", "") for name in provinces} <= set(keys)


@pytest.mark.samples
def test_each_of_the_63_provinces_before_leads_to_its_province_of_2025(samples: Path) -> None:
    known = {row["spelling"]: row["province"] for row in seed("province_spellings")}
    with (samples / "vietnam" / "provinces_63_to_34.csv").open(encoding="utf-8") as rows:
        before = list(csv.DictReader(rows))
    assert len(before) == 63
    for row in before:
        key = "".join(c for c in fold(row["province_before_2025_07"]) if c.isalnum())
        assert known[key] == row["province"]


@pytest.mark.samples
def test_names_fold_to_the_list_without_accents_with_either_letter(samples: Path) -> None:
    """Line n of both lists is one name; 178 of them write U+00D0 for U+0110."""
    for sex in ("boy", "girl"):
        folder = samples / "vietnam" / "names"
        written = (folder / f"{sex}.txt").read_text(encoding="utf-8").split("\n")
        plain = (folder / f"{sex}_no_accents.txt").read_text(encoding="utf-8").split("\n")
        assert [fold(name).strip() for name in written] == [name.lower().strip() for name in plain]


def test_the_models_fold_as_the_names_do() -> None:
    """The SQL of macro `fold_text` on a word with each trap: both letters, composed or not."""
    macro = (PROJECT / "dbt_project" / "macros" / "portable.sql").read_text(encoding="utf-8")
    body = macro.split("{% macro duckdb__fold_text(expression) -%}")[1].split("{%- endmacro %}")[0]
    words = ["\u00d0\u1ee9c", "\u0110\u1ee9c", "\u0111u\u031b\u0301c", "\u00f0\u1ee8C"]
    sql = "select " + body.replace("{{ expression }}", "$word")
    assert {duckdb.execute(sql, {"word": word}).fetchall()[0][0] for word in words} == {"duc"}
    assert {fold(word) for word in words} == {"duc"}
