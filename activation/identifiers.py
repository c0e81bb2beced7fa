"""Which identifier each consent channel reaches a person by, and who holds it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Identifier:
    """How a channel finds a person.

    `value_sql` is over a row of `customers`; `types` are the identifier types whose holders must
    all permit a row; `pattern` is an anchored regex of what the channel accepts.
    """

    value_sql: str
    types: tuple[str, ...]
    pattern: str

    @property
    def columns(self) -> dict[str, str]:
        """Identifier type -> the column of `customers` that has its best value."""
        return {kind: _COLUMNS[kind] for kind in self.types if kind in _COLUMNS}


_COLUMNS = {"email": "email", "phone": "phone_e164"}
_EMAIL = r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)+"
_E164 = r"\+[1-9][0-9]{6,14}"
_PHONE = Identifier("phone_e164", ("phone",), f"^{_E164}$")
IDENTIFIERS = {
    "email": Identifier("email", ("email",), f"^{_EMAIL}$"),
    "sms": _PHONE,
    "zalo": _PHONE,
    "phone": _PHONE,
    # The app logs in with the shop's account; the lowest of several.
    "push": Identifier(
        "(select min(held.identifier_value) from customer_identifiers as held "
        "where held.customer_id = customers.customer_id and held.identifier_type = 'user_id' "
        "and held.valid_to is null)",
        ("user_id",),
        r"^\S{1,128}$",
    ),
    "ads": Identifier("coalesce(email, phone_e164)", ("email", "phone"), f"^({_EMAIL}|{_E164})$"),
}


def normal_sql(value: str, identifier_type: str) -> str:
    """The form in which identifiers are compared: only addresses ignore case.

    A text of bytes alone without a blank has nothing to trim: what DuckDB's trim would cost over
    every value of every source is spared.
    """
    trimmed = f"if(contains({value}, ' ') or strlen({value}) <> length({value}), trim({value}), "
    trimmed += f"{value})"
    return f"lower({trimmed})" if identifier_type == "email" else trimmed


def holders_sql(identifier: Identifier) -> str:
    """Who holds which identifier: customer_id, identifier; a pair may come more than once.

    Every value any source gave counts, also one that is blocked from linking people.
    """
    parts = []
    for kind in identifier.types:
        parts.append(
            f"select customer_id, {normal_sql('identifier_value', kind)} as identifier "
            "from customer_identifiers "
            f"where identifier_type = '{kind}' and valid_to is null"
        )
        if column := identifier.columns.get(kind):
            parts.append(
                f"select customer_id, {normal_sql('value', kind)} from customer_attributes "
                f"where attribute = '{column}'"
            )
            parts.append(f"select customer_id, {normal_sql(column, kind)} from customers")
    return "\nunion all\n".join(parts)
