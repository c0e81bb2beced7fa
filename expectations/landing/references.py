"""How a row names the person it is about (REF of docs/architecture.md)."""

_COLUMNS = ("user_id", "member_number", "external_id", "email", "phone", "anonymous_id")

# True where a row carries no reference to anybody.
NOBODY = f"coalesce({', '.join(_COLUMNS)}) is null"
