"""Square's tables, in the vendor's words."""

from expectations.landing.vendor import vendor_table
from expectations.rules import malformed_email

SUITES = (
    vendor_table("locations", marker="timezone"),
    vendor_table(
        "orders",
        marker="net_amount_due_amount",
        needs="location_id state created_at",
        past="created_at updated_at",
        newest="updated_at",
    ),
    vendor_table(
        "payments", marker="source_type", needs="total_amount total_currency", past="created_at"
    ),
    vendor_table("refunds", marker="amount_amount", needs="amount_amount", past="created_at"),
    vendor_table(
        "customers",
        malformed_email("email_address", at_most=0.5, severity="error"),
        marker="reference_id",
        past="updated_at",
    ),
    vendor_table("catalog", marker="item_data", needs="type"),
    vendor_table("loyalty_accounts", marker="program_id", past="enrolled_at"),
)
