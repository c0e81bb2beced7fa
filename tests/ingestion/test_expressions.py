"""The SQL of sources.yml: scalar, over known columns, and unable to stop a load."""

import duckdb
import pytest

from ingestion.expressions import (
    UnknownColumnError,
    check_expression,
    compile_expression,
    expression_columns,
)

COLUMNS = {"InvoiceNo": "VARCHAR", "Quantity": "INTEGER", "Unit Price": "VARCHAR", "order": "DATE"}


def evaluate(text: str, **values: object) -> object:
    row = {"InvoiceNo": None, "Quantity": None, "Unit Price": None, "order": None, **values}
    fields = ", ".join(f'${i + 1} as "{name}"' for i, name in enumerate(row))
    sql = compile_expression(text, COLUMNS).sql
    query = f"select {sql} from (select {fields}, 'f' as _file, 7 as _row)"
    return duckdb.execute(query, list(row.values())).fetchone()[0]


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("InvoiceNo || '-' || _row", {"InvoiceNo": "A"}, "A-7"),
        ("unit price", {"Unit Price": "2.5"}, "2.5"),
        ("order", {"order": "x"}, "x"),
        ("cast(InvoiceNo as int) + 1", {"InvoiceNo": "no number"}, None),
        ("strptime(InvoiceNo, '%d/%m/%Y')", {"InvoiceNo": "31/31/2020"}, None),
        ("cast(strptime(InvoiceNo, '%Y') as date)", {"InvoiceNo": "x"}, None),
        ("InvoiceNo > 5", {"InvoiceNo": "10"}, True),
        ("-3 <= InvoiceNo", {"InvoiceNo": "word"}, None),
        ("json_extract_string(InvoiceNo, '$.a') = 'x'", {"InvoiceNo": '{"a":"x"}'}, True),
        ("case when InvoiceNo like 'C%' then 1 else 0 end", {"InvoiceNo": "C1"}, 1),
        ("not (Quantity is null)", {"Quantity": 1}, True),
        ("null", {}, None),
    ],
)
def test_an_expression_yields_its_value_and_never_raises(
    text: str, values: dict[str, object], expected: object
) -> None:
    assert evaluate(text, **values) == expected


@pytest.mark.parametrize(
    "text",
    ["(select 1)", "sum(a)", "row_number() over ()", "a; b", "*", "(a) as b", "t.a", "$1",
     "drop table a;", "exists (select 1)", "insert into a values (1)"],
)  # fmt: skip
def test_anything_but_one_scalar_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expression|without"):
        check_expression(text)


@pytest.mark.parametrize("text", ["drop table InvoiceNo", "Quantity as b"])
def test_words_that_could_be_a_column_with_spaces_are_refused_as_an_unknown_one(text: str) -> None:
    with pytest.raises(UnknownColumnError):
        compile_expression(text, COLUMNS)


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(UnknownColumnError, match="Quantitty"):
        compile_expression("Quantitty * 2", COLUMNS)
    with pytest.raises(UnknownColumnError, match="Unit Prize"):
        compile_expression("Unit Prize", COLUMNS)


def test_the_columns_of_an_expression_are_without_builtins_and_literals() -> None:
    assert expression_columns("InvoiceNo || _row || _file || Quantity") == ["InvoiceNo", "Quantity"]
    assert expression_columns("true") == []
    assert expression_columns("Unit Price") == ["Unit Price"]
