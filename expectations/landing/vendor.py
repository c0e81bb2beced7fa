"""The one shape of suites over vendors' own tables: what must be there, and what is no future.

A load holds changed rows only, so that a mix differs by nature and is judged where told only.
"""

from expectations.rules import Rule, in_future, missing
from expectations.suite import Suite


def vendor_table(
    table: str,
    *rules: Rule,
    key: str = "id",
    marker: str | None = None,
    needs: str = "",
    past: str = "",
    mixes: str = "",
    newest: str | None = None,
) -> Suite:
    """The suite of a table: `needs`, `past` and `mixes` are names of columns.

    What it is known by is needed too.
    """
    required = dict.fromkeys([*key.replace(",", " ").split(), *needs.split()])
    told = (*map(missing, required), *map(in_future, past.split()), *rules)
    return Suite(table, key, told, marker=marker, mixes=tuple(mixes.split()), newest=newest)
