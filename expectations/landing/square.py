"""Square's tables, in the vendor's words. A load holds changed rows only: no mix is judged."""

from expectations.rules import in_future, malformed_email, missing
from expectations.suite import Suite

LOCATIONS = Suite(table="locations", key="id", marker="timezone", rules=(missing("id"),))
ORDERS = Suite(
    table="orders",
    key="id",
    marker="net_amount_due_amount",
    rules=(
        missing("id"),
        missing("location_id"),
        missing("state"),
        missing("created_at"),
        in_future("created_at"),
        in_future("updated_at"),
    ),
    newest="updated_at",
)
PAYMENTS = Suite(
    table="payments",
    key="id",
    marker="source_type",
    rules=(
        missing("id"),
        missing("total_amount"),
        missing("total_currency"),
        in_future("created_at"),
    ),
)
REFUNDS = Suite(
    table="refunds",
    key="id",
    marker="amount_amount",
    rules=(missing("id"), missing("amount_amount"), in_future("created_at")),
)
CUSTOMERS = Suite(
    table="customers",
    key="id",
    marker="reference_id",
    rules=(
        missing("id"),
        in_future("updated_at"),
        malformed_email("email_address", at_most=0.5, severity="error"),
    ),
)
CATALOG = Suite(
    table="catalog", key="id", marker="item_data", rules=(missing("id"), missing("type"))
)
LOYALTY_ACCOUNTS = Suite(
    table="loyalty_accounts",
    key="id",
    marker="program_id",
    rules=(missing("id"), in_future("enrolled_at")),
)
SUITES = (LOCATIONS, ORDERS, PAYMENTS, REFUNDS, CUSTOMERS, CATALOG, LOYALTY_ACCOUNTS)
