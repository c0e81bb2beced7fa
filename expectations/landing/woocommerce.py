"""WooCommerce's tables, in the vendor's words."""

from expectations.landing.vendor import vendor_table
from expectations.rules import malformed_email, share

SUITES = (
    vendor_table(
        "orders",
        share("total_negative", "total < 0", at_most=0.01),
        marker="date_created_gmt",
        needs="status currency date_created_gmt",
        past="date_created_gmt date_modified_gmt",
        newest="date_modified_gmt",
    ),
    vendor_table("order_refunds", needs="order_id amount", past="date_created_gmt"),
    vendor_table(
        "customers",
        malformed_email("email", at_most=0.5, severity="error"),
        marker="is_paying_customer",
        past="date_created_gmt",
    ),
    vendor_table(
        "products", share("price_negative", "price < 0", at_most=0.01), marker="regular_price"
    ),
)
