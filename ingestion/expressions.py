"""The scalar SQL of sources.yml: one expression over a delivery's columns, checked with sqlglot.

Nothing in an expression can stop a load: where it fails on a value, the row is quarantined. Who
runs one must not let DuckDB share what two expressions have in common (`NOT_SHARED`): it would
compute that outside of TRY.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.parquet import quote
from khach.config_mistakes import WrongValueError

NOT_SHARED = "set disabled_optimizers = 'common_subexpressions'"
BUILTINS = ("_file", "_row")
_SUCH_AS = "an expression over the columns, such as lower(email)"
_LITERALS = ("null", "true", "false")
_PLAIN = re.compile(r"[^\W\d][\w ]*")


class UnknownColumnError(Exception):
    """An expression names a column that the delivery does not have."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


@dataclass(frozen=True)
class Compiled:
    """DuckDB SQL of an expression, and tests that it fails on a row."""

    sql: str
    failures: tuple[str, ...] = ()


def is_guarded(failures: Sequence[str]) -> bool:
    """Whether these tests are of an expression that stands within TRY."""
    return any(test.startswith("try(") for test in failures)


def check_expression(text: str) -> None:
    """ValueError unless the text is one scalar SQL expression (or a plain column name)."""
    if not _PLAIN.fullmatch(text.strip()):
        _parse(text)


def expression_columns(text: str) -> list[str]:
    """The columns an expression reads, without the builtins, in the order they stand."""
    plain = text.strip()
    if plain.isidentifier():  # sqlglot takes as long to import as a small load does
        return [plain] if plain.lower() not in (*BUILTINS, *_LITERALS) else []
    from sqlglot import exp

    try:
        tree = _parse(text)
    except ValueError:
        if _PLAIN.fullmatch(plain):  # a name with a space in it, unlike `gone is not null`
            return [plain]
        raise
    found = [node.name for node in tree.find_all(exp.Column, bfs=False)]
    return [name for name in dict.fromkeys(found) if name not in BUILTINS]


def compile_expression(text: str, columns: Mapping[str, str]) -> Compiled:
    """DuckDB SQL of an expression over `columns` (name to DuckDB type).

    Raises UnknownColumnError when it names another column, ValueError when it is no expression.
    """
    known = {name.lower(): name for name in (*columns, *BUILTINS)}
    plain = text.strip()
    if plain.lower() in known:
        return Compiled(quote(known[plain.lower()]))
    if plain.lower() in _LITERALS:
        return Compiled(plain.upper())
    from sqlglot import exp

    try:
        tree = _parse(text)
    except ValueError:
        if _PLAIN.fullmatch(plain):  # a name with a space in it, or a word that SQL reserves
            raise UnknownColumnError(plain) from None
        raise
    for node in list(tree.find_all(exp.Column)):
        if node.name.lower() not in known:
            raise UnknownColumnError(node.name)
        node.set("this", exp.to_identifier(known[node.name.lower()], quoted=True))
    _read_text_as_numbers(tree, columns)
    tree, failures = _soften(tree)
    sql = tree.sql("duckdb")
    if _may_fail(tree):
        failures.append(f"try(struct_pack(v := {sql})) is null")
        sql = f"try({sql})"
    return Compiled(sql, tuple(failures))


def _parse(text: str) -> Any:  # sqlglot's own types hide what a tree holds
    import sqlglot
    from sqlglot import exp

    try:
        trees = sqlglot.parse(text, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        raise WrongValueError(f"{text!r} is not a SQL expression", _SUCH_AS) from None
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Expression):
        raise WrongValueError("give one SQL expression", _SUCH_AS)
    forbidden = (
        (exp.Query, "a subquery"),
        (exp.AggFunc, "an aggregate"),
        (exp.Window, "a window"),
        (exp.Star, "a star"),
        (exp.Alias, "an alias"),
        (exp.Placeholder, "a parameter"),
        (exp.Parameter, "a parameter"),
        (exp.Command, "a statement"),
        (exp.DDL, "a statement"),
        (exp.DML, "a statement"),
    )
    for kind, word in forbidden:
        if tree.find(kind):
            raise WrongValueError(
                f"{text!r} holds {word}; give one scalar SQL expression", _SUCH_AS
            )
    if not isinstance(tree, exp.Condition):
        raise WrongValueError(f"{text!r} is not a scalar SQL expression", _SUCH_AS)
    for column in tree.find_all(exp.Column):
        if column.table:
            raise WrongValueError(
                f"write {column.name}, without {column.table} before it", column.name
            )
    return tree


def _read_text_as_numbers(tree: Any, columns: Mapping[str, str]) -> None:
    """`Quantity > 0` and `Quantity * Price` over text columns (CSV) mean numbers.

    DuckDB would stop at the first word in the one and refuse the other. A product of two
    decimal(38,6) is exact up to 26 digits before the point.
    """
    from sqlglot import exp

    arithmetic = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod)
    for node in list(tree.find_all(exp.Binary)):
        for side, other in ((node.left, node.right), (node.right, node.left)):
            number = other.this if isinstance(other, exp.Neg) else other
            is_number = isinstance(number, exp.Literal) and not number.is_string
            compared = isinstance(node, exp.Predicate) and is_number
            is_text = isinstance(side, exp.Column) and columns.get(side.name) == "VARCHAR"
            if is_text and (compared or isinstance(node, arithmetic)):
                type_ = "decimal(38,10)" if compared else "decimal(38,6)"
                side.replace(exp.TryCast(this=side.copy(), to=exp.DataType.build(type_)))


def _may_fail(tree: Any) -> bool:
    """Whether a row's values can make it fail: JSON of a text that is none, a sum too large."""
    from sqlglot import exp

    safe = (exp.Cast, exp.Coalesce, exp.Nullif, exp.Lower, exp.Upper, exp.Trim, exp.Case, exp.If,
            exp.Substring, exp.SplitPart, exp.RegexpExtract, exp.RegexpReplace, exp.Connector,
            exp.DPipe, exp.Like, exp.Is)  # fmt: skip
    for node in tree.find_all(exp.Func, exp.Binary):
        literals = isinstance(node, exp.Predicate) and node.find(exp.Literal)
        if not isinstance(node, safe) and not literals and node.name != "try_strptime":
            return True
    return False


def _soften(tree: Any) -> tuple[Any, list[str]]:
    """Turn every CAST and STRPTIME into its TRY_ form, with a test for its failure."""
    from sqlglot import exp

    failures: list[str] = []
    root = exp.Paren(this=tree)
    # Breadth first, backwards: the innermost cast is softened before the one around it.
    for node in reversed(list(root.find_all(exp.Cast, exp.StrToTime))):
        inner = node.this.copy()
        if isinstance(node, exp.StrToTime):
            arguments = [inner, node.args["format"].copy()]
            softened: Any = exp.Anonymous(this="try_strptime", expressions=arguments)
        elif type(node) is exp.Cast and not isinstance(inner, exp.Literal):
            softened = exp.TryCast(this=inner, to=node.args["to"].copy())
        else:
            continue
        node.replace(softened)
        failures.append(
            f"(({inner.sql('duckdb')}) is not null and ({softened.sql('duckdb')}) is null)"
        )
    return root.this, failures
