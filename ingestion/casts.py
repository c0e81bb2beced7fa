"""SQL of texts as typed values: exactly what the text says, or not at all."""

from __future__ import annotations

import re

from ingestion.parquet import literal

_BEYOND = r"[.][0-9_]{12}[0-9_]*[1-9][0-9_]*\s*$"
_DECIMAL = re.compile(r"DECIMAL\([0-9]+,([0-9]+)\)")


def typed(text: str, type_: str) -> str:
    """SQL: a text as `type_`, NULL when it is not one; a time's offset is applied, then dropped."""
    if type_ == "TIMESTAMP":
        return f"cast(try_cast({text} as timestamptz) as timestamp)"
    return f"try_cast({text} as {type_})"


def is_rounded(text: str, value: str) -> str:
    """SQL: whether the number in a text is another one than `value`, which a cast made of it.

    Unlike `misfit` it lets powers of ten pass (1.5e3), of as many digits as a double tells apart.
    """
    # A wide number shows the first 12 places fast; what stands behind them only the text.
    is_beyond = f"length({text}) >= 14 and regexp_matches({text}, {literal(_BEYOND)})"
    is_power = f"(contains({text}, 'e') or contains({text}, 'E'))"
    differs = f"cast({value} as double) != try_cast({text} as double)"
    return (
        f"({value} != try_cast({text} as decimal(38, 12)) or ({is_beyond}) or "
        f"({is_power} and (length({text}) > 17 or {differs})))"
    )


def misfit(text: str, type_: str) -> str:
    """SQL: whether a text is there and is not `type_`, or would have to be rounded to be one."""
    bad = f"{typed(text, type_)} is null"
    found = _DECIMAL.fullmatch(type_)
    if found or type_ == "BIGINT":
        places = found[1] if found else "0"
        # Comparing the number with a wider one would only move the place where it is rounded.
        exact = rf"^\s*[+-]?[0-9]*([.][0-9]{{0,{places}}}0*)?\s*$"
        bad = f"({bad} or not regexp_matches({text}, {literal(exact)}))"
    return f"{text} is not null and {bad}"
