"""Splink compares: the level of agreement of every candidate pair, and of random pairs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from identity.components import Indices
from identity.matching.person import Comparison
from identity.matching.settings import MatchSettings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Pairs(NamedTuple):
    """Candidates in the order of their records: row numbers of both, and the pattern of levels.

    Many pairs agree in the same way: `levels` has a row for each comparison and a column for each
    pattern, of which `pattern` is the number. Level 0 is the best, -1 a missing value.
    """

    left: Indices
    right: Indices
    pattern: Indices
    levels: npt.NDArray[np.int8]


def compare(
    con: "DuckDBPyConnection", comparisons: Sequence[Comparison], settings: MatchSettings
) -> tuple[Pairs, list[npt.NDArray[np.float64]]]:
    """The candidates with their levels of agreement, and chance agreement.

    Chance agreement is, for each comparison, the share of each level among random pairs.
    """
    from splink import DuckDBAPI, Linker, SettingsCreator

    api = DuckDBAPI(con)
    model = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        probability_two_random_records_match=0.5,  # weighs nothing
        comparisons=[_splink(c, 8.0**-place) for place, c in enumerate(comparisons)],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )
    linker = Linker(api.register("people"), model, log_level=None, validate_settings=False)
    linker.table_management.register_blocked_pairs_for_predict(api.register("candidates"))
    scored = linker.inference.predict(warning_mode="never").physical_name
    digits = 8.0 ** (len(comparisons) - 1)
    pairs = con.execute(
        "select id_l::bigint << 32 | id_r as pair, "
        f"round(-match_weight * {digits})::bigint as code from {scored}"
    ).to_arrow_table()
    con.execute(f"drop table {scored}")
    linker.training.estimate_u_using_random_sampling(
        settings.sample_pairs, seed=settings.seed, min_count_per_level=None, num_chunks=1
    )
    return _pairs(pairs, len(comparisons)), _chance(linker.misc.save_model_to_json())


def _pairs(table: pa.Table, comparisons: int) -> Pairs:
    encoded = table["code"].combine_chunks().dictionary_encode()
    found = encoded.dictionary.to_numpy()
    by_code = np.argsort(found)
    pattern = np.argsort(by_code)[encoded.indices.to_numpy()]
    places = 8 ** np.arange(comparisons - 1, -1, -1)
    levels = (found[by_code] // places[:, None] % 8 - 1).astype(np.int8)
    pair = table["pair"].to_numpy()
    order = np.argsort(pair)
    pair = pair[order]
    return Pairs(pair >> 32, pair & (1 << 32) - 1, pattern[order], levels)


def _splink(comparison: Comparison, place: float) -> dict[str, Any]:
    """The comparison for Splink; its levels weigh 1, 2, ... times `place`.

    Splink adds up weights: the digits of its answer, to the base of 8, are the levels, 0 a missing
    value. What they weigh is learned later, from all of them at once.
    """
    column = comparison.column
    levels: list[dict[str, Any]] = [
        {"sql_condition": f"{column}_l is null or {column}_r is null", "is_null_level": True}
    ]
    for number, level in enumerate(comparison.levels, start=1):
        levels.append(
            {
                "sql_condition": level.when or "ELSE",
                "m_probability": 2.0 ** (-number * place),
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
