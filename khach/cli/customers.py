"""`khach customer`: what is known about one person, on the operator's own terminal."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console

from khach.cli.output import AsJson, emit, table, text
from khach.environment import load_environment
from khach.errors import ConfigError
from khach.money import rounded

Record = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add this command to the root."""
    app.command(epilog="Example: khach customer 0912345678")(customer)


def customer(
    who: Annotated[str, typer.Argument(metavar="ID|EMAIL|PHONE")],
    explain: Annotated[
        str | None, typer.Option(metavar="ATTRIBUTE", help="Where a value came from.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What is still open with a person, then the profile. Personal data: written nowhere."""
    from khach.customers import find_customers
    from khach.profile import explain_attribute, profile
    from khach.settings import load_settings

    env = load_environment()
    found = find_customers(env, who)
    if explain:
        if len(found) != 1:
            raise ConfigError(f"{len(found)} customers fit; --explain needs exactly one id")
        rows = explain_attribute(env, found[0], explain)
        document = {"customer_id": found[0], "attribute": explain, "candidates": rows}
        emit(as_json, document, lambda target: _draw_reasons(target, explain, rows))
        return
    profiles = [profile(env, customer_id) for customer_id in found]
    emit(
        as_json,
        {"customers": profiles},
        lambda target: _draw_profiles(
            target, [_payable(facts, load_settings(env).reporting_currency) for facts in profiles]
        ),
    )


def _payable(facts: Any, currency: str) -> Any:
    """The same facts; amounts (an average has more decimals) as they can be paid."""
    if isinstance(facts, list):
        return [_payable(part, currency) for part in facts]
    if not isinstance(facts, dict):
        return facts
    return {
        key: rounded(value, currency)
        if key.endswith("_amount") and isinstance(value, Decimal)
        else _payable(value, currency)
        for key, value in facts.items()
    }


def _draw_profiles(target: Console, profiles: list[Record]) -> None:
    if len(profiles) > 1:
        target.print(f"{len(profiles)} customers share this contact")
    for facts in profiles:
        head = facts["profile"]
        name = head.get("full_name") or head.get("salutation_name")
        known = (head["customer_id"], name, head.get("phone_e164"), head.get("email"))
        target.print()
        target.print("[bold]" + "  ".join(text(part) for part in known if part) + "[/bold]")
        target.print(f"as of {text(facts['as_of'])}; all times are UTC")
        target.print("\n[bold]still open[/bold]")
        lines = [_SAY[kind](row) for kind, rows in facts["open"].items() for row in rows]
        target.print("\n".join(f"  {line}" for line in lines) or "  nothing")
        target.print("\n[bold]profile[/bold]")
        width = max(map(len, head)) + 2
        for key, value in head.items():
            if value is not None:
                shown = str(value) if key == "birth_year" else text(value)
                target.print(f"{key:<{width}}{shown}")
        for part, rows in facts.items():
            if part not in ("profile", "open", "as_of") and rows:
                target.print(f"\n[bold]{part}[/bold]")
                _draw(target, rows)


def _draw_reasons(target: Console, attribute: str, rows: list[Record]) -> None:
    if not rows:
        target.print(f"no source says anything about {attribute}")
        return
    best = rows[0]
    if best["attribute"] != attribute:
        target.print(f"{attribute} is read from {best['attribute']}")
    if best["is_golden"]:
        target.print(
            f"{text(best['value'])}: from {best['source']}, {best['record_kind']} record "
            f"{text(best['record_id'])}; {_RULES[best['rule']]}"
        )
    else:
        target.print("no value is believed; each was set aside by the rule beside it")
    _draw(target, rows)


def _draw(target: Console, rows: list[Record]) -> None:
    if rows:
        target.print(table(list(rows[0]), [list(row.values()) for row in rows]))


def _conversation(row: Record) -> str:
    waiting = "awaits our answer since" if row["is_awaiting_answer"] else "open, last word"
    about = f" about {text(row['topic'] or row['content_class'])}" if (
        row["topic"] or row["content_class"]) else ""  # fmt: skip
    with_whom = f", with {text(row['agent'])}" if row["agent"] else ""
    return (
        f"conversation on {row['channel']}{about} {waiting} {text(row['last_message_at'])}"
        f"{with_whom} ({text(row['conversation_id'])})"
    )


def _unanswered(row: Record) -> str:
    return f"{row['kind']} on {row['channel']} of {text(row['occurred_at'])} is not answered"


def _appointment(row: Record) -> str:
    return (
        f"appointment on {text(row['starts_at'])}, {row['channel']}"
        f" ({text(row['status'] or 'no status')})"
    )


def _order(row: Record) -> str:
    return (
        f"order {text(row['order_id'])} is {row['status']} since {text(row['ordered_at'])}, "
        f"{text(row['gross_amount'])}"
    )


def _cart(row: Record) -> str:
    return (
        f"cart with {text(row['item_count'])} items, {text(row['cart_amount'])}, "
        f"last {text(row['last_product_name'])}, left {text(row['last_activity_at'])}"
    )


def _lead(row: Record) -> str:
    contacted = f"contacted {text(row['contacted_at'])}" if row["contacted_at"] else "not contacted"
    return f"lead {text(row['lead_id'])} in stage {text(row['stage'])}, {contacted}"


_SAY: dict[str, Callable[[Record], str]] = {
    "conversations": _conversation,
    "unanswered": _unanswered,
    "appointments": _appointment,
    "orders": _order,
    "carts": _cart,
    "leads": _lead,
}
_RULES = {
    "only_value": "no source says anything else",
    "most_trusted": "this source is believed before the others (identity.yml, survivorship)",
    "most_frequent": "more records say so than any other value of this source",
    "most_recent": "the newest of the equally frequent values of this source",
    "smallest_text": "nothing tells the values apart; the smaller text was taken",
}
