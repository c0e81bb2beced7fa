"""People as a source lists them: typed by hand, so format is a share and not a law."""

from expectations.landing.references import NOBODY
from expectations.rules import in_future, malformed_email, missing, share
from expectations.suite import Suite

_DIGITS = "length(regexp_replace(nullif(trim(phone), ''), '[^0-9]', '', 'g'))"

SUITE = Suite(
    table="customers",
    key="record_id",
    rules=(
        missing("record_id"),
        in_future("created_at"),
        in_future("updated_at"),
        share("belongs_to_nobody", NOBODY, at_most=0.5, severity="warning"),
        malformed_email("email", at_most=0.5, severity="error"),
        share("phone_malformed", f"{_DIGITS} not between 8 and 15", at_most=0.5),
        share(
            "birth_date_impossible",
            "birth_date < date '1900-01-02' or birth_date > current_date",
            at_most=0.05,
            severity="warning",
        ),
    ),
    mixes=("country", "gender"),
)
