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
    from splink import DuckDBAPI, Linker

Rows = npt.NDArray[np.int32]
PART = 1 << 22  # candidates: so many are compared at a time, so that memory keeps its bounds


class Pairs(NamedTuple):
    """Candidates in the order of their records: row numbers of both, and the pattern of levels.

    Many pairs agree in the same way: `levels` has a row for each comparison and a column for each
    pattern, of which `pattern` is the number. Level 0 is the best, -1 a missing value.
    """

    left: Rows
    right: Rows
    pattern: Rows
    levels: npt.NDArray[np.int8]


def compare(
    con: "DuckDBPyConnection",
    candidates: Indices,
    comparisons: Sequence[Comparison],
    settings: MatchSettings,
) -> tuple[Pairs, list[npt.NDArray[np.float64]]]:
    """The candidates (blocking.block) with their levels of agreement, and chance agreement.

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
    codes = np.empty(len(candidates), dtype=np.int64)
    con.execute(f"set threads = {settings.threads}")
    for start in range(0, len(candidates), PART):
        part = slice(start, start + PART)
        codes[part] = _codes(con, api, linker, candidates[part], len(comparisons))
    con.execute("set threads = 1")
    linker.training.estimate_u_using_random_sampling(
        settings.sample_pairs, seed=settings.seed, min_count_per_level=None, num_chunks=1
    )
    return _pairs(candidates, codes, len(comparisons)), _chance(linker.misc.save_model_to_json())


def _codes(
    con: "DuckDBPyConnection",
    api: "DuckDBAPI",
    linker: "Linker",
    candidates: Indices,
    comparisons: int,
) -> Indices:
    """The levels of each candidate as digits of one number, to the base of 8."""
    con.register("part", pa.table({"pair": candidates}))
    con.execute(
        "create table candidates as select 0::utinyint as match_key, "
        "(pair >> 32)::integer as join_key_l, "
        "(pair & (1::bigint << 32) - 1)::integer as join_key_r from part"
    )
    con.unregister("part")
    linker.table_management.register_blocked_pairs_for_predict(api.register("candidates"))
    scored = linker.inference.predict(warning_mode="never")
    digits = 8.0 ** (comparisons - 1)
    found: Indices = con.execute(
        f"select round(-match_weight * {digits})::bigint as code from {scored.physical_name} "
        "order by id_l, id_r"
    ).fetchnumpy()["code"]
    scored.drop_table_from_database_and_remove_from_cache()
    con.execute("drop table candidates")
    return found


def _pairs(candidates: Indices, codes: Indices, comparisons: int) -> Pairs:
    encoded = pa.array(codes).dictionary_encode()
    found = encoded.dictionary.to_numpy()
    by_code = np.argsort(found)
    pattern = np.argsort(by_code).astype(np.int32)[encoded.indices.to_numpy()]
    places = 8 ** np.arange(comparisons - 1, -1, -1)
    levels = (found[by_code] // places[:, None] % 8 - 1).astype(np.int8)
    left = (candidates >> 32).astype(np.int32)
    right = candidates.astype(np.int32)  # the lower half
    return Pairs(left, right, pattern, levels)


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
