"""`khach identity`: how healthy the graph of identifiers is, and how right it is."""

from pathlib import Path
from typing import Annotated, Any

import typer

from khach.cli.output import AsJson, emit, facts, say, table
from khach.environment import load_environment
from khach.errors import ConfigError

identity_app = typer.Typer(help="Who is the same person.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this group to the root."""
    app.add_typer(identity_app, name="identity")


@identity_app.command(epilog="Example: khach identity report")
def report(as_json: AsJson = False) -> None:
    """The graph as the last run found it: sizes, merges and splits, links held back, blocks."""
    from khach.identity_health import health

    document = health(load_environment())

    def render(console: Any) -> None:
        for name, rows in document.items():
            console.print(f"\n[bold]{name.replace('_', ' ')}[/bold]")
            if isinstance(rows, dict):
                for metric, value in rows.items():
                    console.print(f"  {metric.replace('_', ' '):<44}{_number(value):>12}")
            elif rows:
                console.print(table(list(rows[0]), [list(row.values()) for row in rows]))
            else:
                console.print("  none")

    emit(as_json, document, render)


@identity_app.command(epilog="Example: khach identity evaluate --truth truth.parquet")
def evaluate(
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Columns record_id, entity_id (CSV or Parquet); default: the sandbox's truth.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Pairwise precision, recall and F1 against truth; each hard situation where it tells them."""
    from identity.evaluate import evaluate as compare
    from khach.situations import is_folder_of_truth, situations
    from khach.truth import paired, worst_merges

    env = load_environment()
    path = truth or env.sandbox / "truth"
    if not path.exists():
        raise ConfigError("there is no such file", file=path, fix="name one: --truth FILE")
    is_folder = is_folder_of_truth(path)
    file = path / "records.parquet" if is_folder else path
    try:
        result = compare(*paired(env, file))
    except ValueError as problem:
        raise ConfigError(
            f"{problem}, so records cannot be told apart",
            file=file,
            fix="add the columns source and record_kind to the file",
        ) from None
    figures = result._asdict() | {
        "precision": result.precision,
        "recall": result.recall,
        "f1": result.f1,
    }
    found = situations(env, path) if is_folder else {}
    worst = worst_merges(env, file)
    document = {**figures, "situations": found, "worst_merges": worst}

    emit(as_json, document, lambda console: _draw_evaluation(console, figures, found, worst))


def _draw_evaluation(
    console: Any,
    figures: dict[str, Any],
    found: dict[str, dict[str, Any]],
    worst: list[dict[str, Any]],
) -> None:
    facts(figures)(console)
    if found:
        console.print("\nsituations")
    for name, row in found.items():
        told = "  ".join(f"{key} {_number(value)}" for key, value in row.items())
        console.print(f"  {name.replace('_', ' '):<28}{told}")
    if worst:
        console.print("\nworst merges (wrong pairs)")
        rows = [list(row.values()) for row in worst]
        console.print(table(list(worst[0]), rows))


@identity_app.command(epilog="Example: khach identity block phone 0900000000")
def block(
    kind: Annotated[str, typer.Argument(metavar="TYPE")],
    value: Annotated[str, typer.Argument(metavar="VALUE")],
    namespace: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose account numbers, where several fit.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="WORD", help="Kept with it.")] = "by_hand",
    as_json: AsJson = False,
) -> None:
    """Stop a value from linking people, past merges included; other people keep their ids."""
    _decide(kind, value, namespace, reason, is_blocked=True, as_json=as_json)


@identity_app.command(epilog="Example: khach identity unblock phone 0900000000")
def unblock(
    kind: Annotated[str, typer.Argument(metavar="TYPE")],
    value: Annotated[str, typer.Argument(metavar="VALUE")],
    namespace: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose account numbers, where several fit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a blocked value link again; who was one person before is one again."""
    _decide(kind, value, namespace, "by_hand", is_blocked=False, as_json=as_json)


@identity_app.command(epilog="Example: khach identity review")
def review(
    accept: Annotated[
        tuple[str, str] | None, typer.Option(metavar="KEY KEY", help="These are one person.")
    ] = None,
    reject: Annotated[
        tuple[str, str] | None, typer.Option(metavar="KEY KEY", help="These are two people.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer doubtful pairs one by one; answers are remembered for good."""
    from khach.identity_decisions import answer, open_questions

    env = load_environment()
    given = [(pair, pair is accept) for pair in (accept, reject) if pair]
    for pair, is_accepted in given:
        answer(env, *pair, is_accepted=is_accepted)
    questions = open_questions(env) if not given else []
    if given or as_json or not questions:
        emit(
            as_json,
            {"answered": len(given), "open": questions},
            lambda console: console.print(
                "remembered; it takes effect with the next run" if given else "nothing to review"
            ),
        )
        return
    for number, question in enumerate(questions, start=1):
        say(f"\n{number} of {len(questions)}: {question['evidence']} "
            f"(probability {question['probability']:.3f})")  # fmt: skip
        for side in ("left", "right"):
            told = [question[f"{side}_{name}"] for name in _SHOWN]
            say("  " + "  ".join(str(part) for part in told if part))
        word = typer.prompt("one person? [y]es [n]o [s]kip [q]uit", default="s")[:1].lower()
        if word == "q":
            break
        if word in "yn":
            keys = question["left_key"], question["right_key"]
            answer(env, *keys, is_accepted=word == "y")


_SHOWN = ("name", "birth_date", "email", "phone", "address", "province")


def _decide(
    kind: str, value: str, namespace: str | None, reason: str, *, is_blocked: bool, as_json: bool
) -> None:
    from khach.identity_decisions import decide_value

    document = decide_value(
        load_environment(), kind, value, namespace=namespace, is_blocked=is_blocked, why=reason
    )
    emit(as_json, document, facts(document))


def _number(value: float) -> str:
    """Counts whole, shares with four digits."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4f}"
