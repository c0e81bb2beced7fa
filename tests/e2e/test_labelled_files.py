"""Labelled public sets of people as a user tries them: a files source, a run, the figures."""

from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
import yaml

from tests.e2e.installation import Installation

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.samples,
    pytest.mark.nightly,
    pytest.mark.xdist_group("samples"),
]

FAKE = {
    "record_id": "unique_id",
    "given_name": "first_name",
    "family_name": "surname",
    "birth_date_text": "dob",
    "city": "city",
    "email": "email",
}


class Labelled(NamedTuple):
    """A set: its folder, whether the national id is withheld, and the least that must hold."""

    folder: str
    without_national_id: bool
    f1: float
    precision: float = 0.0


@pytest.mark.parametrize(
    "labelled",
    [
        Labelled("febrl1", False, 0.998),
        Labelled("febrl1", True, 0.997),
        Labelled("febrl2", False, 0.998),
        Labelled("febrl2", True, 0.997),
        Labelled("splink_fake_1000", False, 0.955, 0.98),
    ],
    ids=str,
)
def test_a_labelled_file_is_resolved_as_well_as_its_figures_say(
    tmp_path: Path, labelled: Labelled, samples: Path
) -> None:
    people = Installation(tmp_path, environment="dev")
    people.khach("init", "--from-template", "febrl1")
    path = people.config / "sources.yml"
    sources = yaml.safe_load(path.read_text())
    source = sources["sources"]["febrl1"]
    source["folder"] = f"${{KHACH_SAMPLES}}/{labelled.folder}"
    customers = source["tables"]["customers"]
    truth = samples / labelled.folder / "truth.csv.gz"
    if labelled.folder == "splink_fake_1000":
        customers |= {"from": "fake_1000.csv", "columns": FAKE}
        truth = _truth_of_fake(samples, tmp_path / "truth.csv")
    if labelled.without_national_id:
        del customers["columns"]["national_id"]
    path.write_text(yaml.safe_dump(sources))
    people.khach("run")
    figures = people.json("identity", "evaluate", "--truth", str(truth))
    assert figures["f1"] >= labelled.f1, figures
    assert figures["precision"] >= labelled.precision, figures


def _truth_of_fake(samples: Path, path: Path) -> Path:
    """The column that tells the truth, which the source does not map."""
    file = samples / "splink_fake_1000" / "fake_1000.csv"
    duckdb.sql(
        "copy (select unique_id as record_id, cluster as entity_id "
        f"from read_csv('{file}', all_varchar = true)) to '{path}'"
    )
    return path
