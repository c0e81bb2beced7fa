"""Splink compares: the level of agreement of every candidate pair, and of random pairs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from identity.matching.person import Comparison
from identity.matching.settings import MatchSettings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def compare(
    con: "DuckDBPyConnection", comparisons: Sequence[Comparison], settings: MatchSettings
) -> tuple[pa.Table, list[npt.NDArray[np.float64]]]:
    """The table of candidates with a column of levels for each comparison, and chance agreement.

    Level 0 is the best, -1 a missing value. Chance agreement is, for each comparison, the share
    of each level among random pairs.
    """
    from splink import DuckDBAPI, Linker, SettingsCreator

    api = DuckDBAPI(con)
    model = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        comparisons=[_splink(c) for c in comparisons],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=True,
    )
    linker = Linker(api.register("people"), model, log_level=None, validate_settings=False)
    linker.table_management.register_blocked_pairs_for_predict(api.register("candidates"))
    scored = linker.inference.predict(warning_mode="never").physical_name
    levels = ", ".join(f"(-mw_{c.name} - 1)::tinyint as {c.name}" for c in comparisons)
    pairs = con.execute(
        f"select id_l::integer as l, id_r::integer as r, {levels} from {scored} order by l, r"
    ).to_arrow_table()
    con.execute(f"drop table {scored}")
    linker.training.estimate_u_using_random_sampling(
        settings.sample_pairs, seed=settings.seed, min_count_per_level=None, num_chunks=1
    )
    return pairs, _chance(linker.misc.save_model_to_json())


def _splink(comparison: Comparison) -> dict[str, Any]:
    column = comparison.column
    # A level's weight is set to its number, so that Splink's answer tells the levels; what they
    # weigh is learned later, from all of them at once.
    levels: list[dict[str, Any]] = [
        {"sql_condition": f"{column}_l is null or {column}_r is null", "is_null_level": True}
    ]
    for number, level in enumerate(comparison.levels, start=1):
        levels.append(
            {
                "sql_condition": level.when or "ELSE",
                "m_probability": 2.0**-number,
                "u_probability": 1.0,
                "label_for_charts": level.evidence,
            }
        )
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def _chance(model: dict[str, Any]) -> list[npt.NDArray[np.float64]]:
    return [
        np.array(
            [
                0.0 if isinstance(level.get("u_probability"), str) else level["u_probability"]
                for level in comparison["comparison_levels"]
                if not level.get("is_null_level")
            ]
        )
        for comparison in model["comparisons"]
    ]
