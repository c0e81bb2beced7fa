"""Reason codes in words, for one customer: who or what it was, by id, never by address."""

from activation.why_records import Record, local

_MEANS = {"email": "e-mail address", "push": "app account", "ads": "identifier"}


def reason_text(code: str, asked: Record, rows: dict[str, list[Record]], taken: list[str]) -> str:
    """Why they stay out: the consent row, the other holder, the holdout, the other audience."""
    means = _MEANS.get(asked["channel"], "number")
    others = rows["shared_with"]
    match code:
        case "under_age":
            young = [row["customer_id"] for row in others if row["is_minor"]]
            told = "they are too young"
            if not asked["is_minor"]:
                told = f"{_names(young)}, who has the same {means}, is too young"
        case "suppressed":
            told = f"they, or who shares their {means}, are on the suppression list of policy.yml"
        case "consent_withdrawn" | "no_consent":
            told = _consent_text(code, asked, rows, means)
        case "no_identifier":
            told = f"there is no {means} of theirs"
        case "invalid_identifier":
            told = f"their {means} is not valid"
        case "lower_priority_audience":
            told = f"{' and '.join(taken)} goes first on this channel"
        case "holdout":
            told = _holdout_text(asked, rows, means)
        case "duplicate_identifier":
            carrier = [row["customer_id"] for row in others if row["carries_it"]]
            told = f"{_names(carrier)}, who has the same {means}, carries it"
        case _:
            told = code
    return told


def _consent_text(code: str, asked: Record, rows: dict[str, list[Record]], means: str) -> str:
    """Their own consent row decides; else that of somebody who shares what would be reached."""
    wanted = f"{asked['purpose']} by {asked['channel']}"
    own = [row for row in rows["consents"] if row["customer_id"] == asked["id"]]
    refused = [row for row in own if not row["is_granted"] or row["withdrawn_at"]]
    if code == "consent_withdrawn" and refused:
        row = refused[0]
        when = f" on {local(row['withdrawn_at'], asked['zone'])}" if row["withdrawn_at"] else ""
        return (
            f"they withdrew or refused {wanted}{when} (consent {row['consent_id']}, "
            f"told by {row['evidence_source']})"
        )
    if code == "no_consent" and not own:
        return f"nobody has asked them for {wanted} (no row in consents)"
    blockers = [row["customer_id"] for row in rows["shared_with"] if not row["is_granted"]]
    return f"{_names(blockers)}, who has the same {means}, does not permit {wanted}"


def _holdout_text(asked: Record, rows: dict[str, list[Record]], means: str) -> str:
    drawn = [row for row in rows["holdouts"] if row["group"] == "holdout"]
    own = [row for row in drawn if row["customer_id"] == asked["id"]]
    if own:
        since = local(own[0]["assigned_at"], asked["zone"])
        return f"they are held out since {since}, to measure the effect"
    if drawn:
        who = _names([row["customer_id"] for row in drawn])
        return f"{who}, who has the same {means}, is held out, to measure the effect"
    return "the draw holds them out, to measure the effect (recorded when a plan goes out)"


def _names(customer_ids: list[str]) -> str:
    return ", ".join(customer_ids) or "somebody"
