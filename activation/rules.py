"""`where`: one boolean expression over contracted columns, compiled to DuckDB SQL.

Anything that could read another table, depend on the clock or change something is refused; what
is harder than this belongs in a dbt model `aud_<name>`, reviewed by an engineer.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from khach.config_mistakes import suggest

# What an example says besides values of columns: `segments` lists those the customer is in.
NOT_COLUMNS = ("in", "as_of", "segments")
_SEGMENT_ID = re.compile(r"[a-z0-9_]+")
_ALLOWED = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Var, exp.Paren,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In,
    exp.Between, exp.Like, exp.ILike, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Interval,
    exp.Coalesce, exp.Lower, exp.Upper, exp.Abs, exp.Length, exp.Cast, exp.DataType,
    exp.DataTypeParam, exp.DateDiff, exp.DateTrunc, exp.TimestampTrunc, exp.Extract, exp.Year,
    exp.Month, exp.Day, exp.DayOfWeekIso,
)  # fmt: skip


class RuleError(ValueError):
    """A `where` that is not allowed; `fix` says what would be."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True)
class Rule:
    """A compiled `where`: SQL over the columns of customers, `as_of` as a DuckDB variable."""

    sql: str
    uses_as_of: bool
    segments: tuple[str, ...]


@dataclass(frozen=True)
class RulePart:
    """One of the conditions that must all hold: as a person reads it, and as SQL."""

    text: str
    sql: str
    columns: tuple[str, ...]


def compile_rule(where: str, columns: Mapping[str, str]) -> Rule:
    """Parse, check and translate a `where`.

    Raises RuleError naming the unknown column, the construct that is not allowed, or a type
    mistake.
    """
    return _compiled(where, tuple(columns.items()))


@functools.lru_cache(maxsize=1024)
def _compiled(where: str, listed: tuple[tuple[str, str], ...]) -> Rule:
    """A run compiles every rule for every sync; the same text over the same columns is the same."""
    columns = dict(listed)
    tree = _parse(where)
    segments: set[str] = set()
    uses_as_of = False
    for node in list(tree.walk()):
        if isinstance(node, exp.Anonymous):
            segments.add(_segment(node))
        elif isinstance(node, exp.Column):
            _check_column(node, columns)
            uses_as_of |= node.name.lower() == "as_of"
        elif not isinstance(node, _ALLOWED) or node.args.get("query"):
            raise RuleError(
                f"`{node.sql('duckdb')[:60]}` is not allowed in a rule",
                "comparisons, and, or, not, in, between, like, date arithmetic with as_of, "
                "in_segment('<id>'); anything harder: model: aud_<name>",
            )
    sql = tree.transform(_translate).sql("duckdb")
    rule = Rule(sql, uses_as_of, tuple(sorted(segments)))
    _check_types(rule, columns)
    return rule


def rule_parts(where: str) -> list[RulePart]:
    """The conditions that a valid `where` joins with `and`, each with the columns it reads."""
    return [
        RulePart(
            text=node.sql("duckdb", normalize_functions=False),
            sql=node.transform(_translate).sql("duckdb"),
            columns=tuple(sorted({c.name.lower() for c in node.find_all(exp.Column)} - {"as_of"})),
        )
        for node in _conditions(_parse(where))
    ]


def evaluate_example(rule: Rule, columns: Mapping[str, str], example: Mapping[str, Any]) -> bool:
    """Whether a customer with these values and segments, all others NULL, is in; runs in memory.

    Raises RuleError when a value does not fit its column.
    """
    with _empty_marts(columns) as connection:
        values = {"customer_id": "example"} | {
            key: value for key, value in example.items() if key not in NOT_COLUMNS
        }
        names = ", ".join(values)
        marks = ", ".join("?" * len(values))
        try:
            connection.execute(
                f"insert into customers ({names}) values ({marks})", list(values.values())
            )
        except duckdb.Error as problem:
            raise RuleError(_first_line(problem)) from None
        for segment in example.get("segments", ()):
            connection.execute(
                "insert into segment_membership values (?, ?, null)",
                [segment, values["customer_id"]],
            )
        if rule.uses_as_of:
            if example.get("as_of") is None:
                raise RuleError(
                    "the rule uses as_of: each example must say it", "as_of: 2026-01-31"
                )
            set_as_of(connection, example["as_of"])
        row = connection.execute(f"select ({rule.sql}) is true from customers").fetchone()
    return bool(row and row[0])


def set_as_of(connection: duckdb.DuckDBPyConnection, as_of: date | datetime) -> None:
    """Give compiled rules their `as_of`: a naive UTC timestamp for the whole connection."""
    connection.execute("set variable as_of = cast(? as timestamp)", [as_of])


def _parse(where: str) -> exp.Expr:
    try:
        trees = sqlglot.parse(where, read="duckdb")
    except SqlglotError as problem:
        detail = getattr(problem, "errors", None) or [{"description": "cannot be read"}]
        raise RuleError(f"not a boolean expression: {detail[0]['description']}") from None
    if len(trees) != 1 or trees[0] is None:
        raise RuleError("a rule is ONE boolean expression", "combine parts with `and`, `or`")
    return trees[0]


def _conditions(tree: exp.Expr) -> list[exp.Expr]:
    node = tree.unnest()
    if isinstance(node, exp.And):
        return [*_conditions(node.left), *_conditions(node.right)]
    return [node]


def _check_column(node: exp.Column, columns: Mapping[str, str]) -> None:
    if node.table:
        raise RuleError(f"write `{node.name}` without a table", "rules read `customers` only")
    if node.name.lower() not in columns and node.name.lower() != "as_of":
        fix = suggest(node.name.lower(), [*columns, "as_of"])
        raise RuleError(f"unknown column {node.name!r}", fix)


def _segment(node: exp.Anonymous) -> str:
    arguments = node.expressions
    is_call = node.name.lower() == "in_segment" and len(arguments) == 1
    if not is_call or not arguments[0].is_string:
        raise RuleError(
            f"unknown function {node.name!r}", "in_segment('<id>'); the present is as_of"
        )
    segment = str(arguments[0].this)
    if not _SEGMENT_ID.fullmatch(segment):
        raise RuleError("a segment id is lower-case letters, digits and underscores")
    return segment


def _translate(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous):
        return sqlglot.parse_one(
            "customer_id in (select customer_id from segment_membership "
            f"where segment_id = '{_segment(node)}' and valid_to is null)",
            read="duckdb",
        )
    if isinstance(node, exp.Column) and node.name.lower() == "as_of":
        return sqlglot.parse_one("getvariable('as_of')", read="duckdb")
    return node


def _check_types(rule: Rule, columns: Mapping[str, str]) -> None:
    with _empty_marts(columns) as connection:
        set_as_of(connection, date(2026, 1, 1))
        # A literal that is none of its column's type (`'2026-13-01'`) is only seen with a row.
        connection.execute("insert into customers (customer_id) values (null)")
        try:
            described = connection.execute(f"select {rule.sql} from customers").description
        except duckdb.Error as problem:
            raise RuleError(_first_line(problem)) from None
    if str(described[0][1]) != "BOOLEAN":
        raise RuleError(f"the rule gives {described[0][1]}, not true or false", "compare it")


def _empty_marts(columns: Mapping[str, str]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    # customer_id is always there: in_segment needs it.
    typed = {"customer_id": "varchar", **columns}
    listed = ", ".join(f"{name} {data_type}" for name, data_type in typed.items())
    connection.execute(f"create table customers ({listed})")
    connection.execute(
        "create table segment_membership (segment_id varchar, customer_id varchar, "
        "valid_to timestamp)"
    )
    return connection


def _first_line(problem: duckdb.Error) -> str:
    return str(problem).splitlines()[0]
