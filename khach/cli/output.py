"""What reaches the terminal: one JSON document on stdout with `--json`, else text for people."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

_document_stream: TextIO | None = None


@contextmanager
def only_documents_on_stdout() -> Iterator[None]:
    """Inside the block everything that prints, libraries and children too, goes to stderr.

    Only `emit` reaches the real stdout.
    """
    global _document_stream  # noqa: PLW0603 (one process has one stdout)
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    stream = os.fdopen(os.dup(saved), "w", encoding="utf-8")
    _document_stream = stream
    try:
        yield
    finally:
        _document_stream = None
        stream.close()
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


def emit(
    as_json: bool, document: Mapping[str, Any], render: Callable[[Console], None] | None = None
) -> None:
    """Write the answer of a command: the document, or what `render` draws for a person."""
    if as_json:
        stream = _document_stream or sys.stdout
        json.dump(document, stream, ensure_ascii=False, default=plain)
        stream.write("\n")
        stream.flush()
    elif render is not None:
        render(console())


def console(*, stderr: bool = False) -> Console:
    """A console that neither wraps piped output nor guesses markup in data."""
    made = Console(stderr=stderr, highlight=False, emoji=False, markup=True)
    if not made.is_terminal:
        made.width = 10_000
    return made


def say(text: str) -> None:
    """One line for people on stderr, so that stdout stays the answer."""
    console(stderr=True).print(text, markup=False)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> Table:
    """A plain table; numbers stand right and with thousands separators."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        values = [row[number] for row in rows if row[number] is not None]
        is_number = bool(values) and all(_is_number(value) for value in values)
        made.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        made.add_row(*(text(value) for value in row))
    return made


def text(value: object) -> str:
    """A value as a person reads it; `-` for what is unknown. Markup in data is no markup."""
    from rich.markup import escape

    match value:
        case None:
            return "[dim]-[/dim]"
        case bool():
            shown = "yes" if value else "no"
        case int():
            shown = f"{value:,}"
        case Decimal():
            whole = value == value.to_integral()
            shown = f"{value.quantize(Decimal(1)) if whole else value.normalize():,f}"
        case float():
            shown = f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.2f}"
        case datetime():
            shown = f"{value:%Y-%m-%d %H:%M:%S}"
        case _:
            shown = escape(str(value))
    return shown


def plain(value: object) -> object:
    """A JSON form of what json does not know; decimals stay exact (a string when need be)."""
    match value:
        case Decimal() if value == value.to_integral():
            return int(value)
        case Decimal():
            number = float(value)
            return number if Decimal(repr(number)) == value else str(value)
        case datetime() | date():
            return value.isoformat()
        case set() | frozenset():
            return sorted(value)
        case _:
            return str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def facts(document: Mapping[str, Any]) -> Callable[[Console], None]:
    """Draws a flat document as one `key  value` line each; lists of records as tables."""

    def render(target: Console) -> None:
        for key, value in document.items():
            if isinstance(value, list) and value and isinstance(value[0], Mapping):
                target.print(f"{key}:")
                names = list(value[0])
                target.print(table(names, [[row.get(name) for name in names] for row in value]))
            elif isinstance(value, Mapping):
                inner = ", ".join(f"{name} {text(item)}" for name, item in value.items())
                target.print(f"{key:<22}{inner}")
            else:
                target.print(f"{key:<22}{text(value)}")

    return render
