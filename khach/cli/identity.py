"""`khach identity`: how healthy the graph of identifiers is, and how right it is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from khach.cli.output import AsJson, emit, facts, later, table
from khach.environment import load_environment
from khach.errors import ConfigError

identity_app = typer.Typer(help="Who is the same person.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this group to the root."""
    app.add_typer(identity_app, name="identity")


@identity_app.command(epilog="Example: khach identity report")
def report(as_json: AsJson = False) -> None:
    """Customers, identifiers and identity events in the published marts."""
    from khach.readers import read_only_session, run_query

    with read_only_session(load_environment()) as connection:
        columns, rows = run_query(
            connection,
            "select identifier_type, count(distinct identifier_value) as identifiers, "
            "count(distinct customer_id) as customers from customer_identifiers "
            "where valid_to is null group by all order by all",
        )
        _, sizes = run_query(
            connection,
            "select identifiers_per_customer, count(*) as customers from (select customer_id, "
            "count(*) as identifiers_per_customer from customer_identifiers "
            "where valid_to is null group by all) group by all order by all desc",
        )
    document = {
        "identifiers": [dict(zip(columns, row, strict=True)) for row in rows],
        "largest_customer_identifiers": sizes[0][0] if sizes else 0,
    }

    def render(console: Any) -> None:
        console.print(table(columns, rows))
        console.print(f"largest customer: {document['largest_customer_identifiers']} identifiers")

    emit(as_json, document, render)


@identity_app.command(epilog="Example: khach identity evaluate --truth truth.parquet")
def evaluate(
    truth: Annotated[
        Path, typer.Option(metavar="FILE", help="Columns record_id, entity_id (CSV or Parquet).")
    ],
    as_json: AsJson = False,
) -> None:
    """Pairwise precision, recall and F1 against a file of truth."""
    from identity.evaluate import evaluate as compare
    from khach.truth import paired

    if not truth.exists():
        raise ConfigError("there is no such file", file=truth)
    try:
        result = compare(*paired(load_environment(), truth))
    except ValueError as problem:
        raise ConfigError(
            f"{problem}, so records cannot be told apart",
            file=truth,
            fix="add the columns source and record_kind to the file",
        ) from None
    document = result._asdict() | {
        "precision": result.precision,
        "recall": result.recall,
        "f1": result.f1,
    }
    emit(as_json, document, facts(document))


later(identity_app, "block", "Stop a value from linking people, past merges included.")
later(identity_app, "unblock", "Let a blocked value link again.")
later(identity_app, "review", "Answer doubtful merges one by one.")
