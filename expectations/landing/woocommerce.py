"""WooCommerce's tables, in the vendor's words. A load holds changed rows only: no mix is judged."""

from expectations.rules import in_future, malformed_email, missing, share
from expectations.suite import Suite

ORDERS = Suite(
    table="orders",
    key="id",
    marker="date_created_gmt",
    rules=(
        missing("id"),
        missing("status"),
        missing("currency"),
        missing("date_created_gmt"),
        in_future("date_created_gmt"),
        in_future("date_modified_gmt"),
        share("total_negative", "total < 0", at_most=0.01),
    ),
    newest="date_modified_gmt",
)
ORDER_REFUNDS = Suite(
    table="order_refunds",
    key="id",
    rules=(
        missing("id"),
        missing("order_id"),
        missing("amount"),
        in_future("date_created_gmt"),
    ),
)
CUSTOMERS = Suite(
    table="customers",
    key="id",
    marker="is_paying_customer",
    rules=(
        missing("id"),
        in_future("date_created_gmt"),
        malformed_email("email", at_most=0.5, severity="error"),
    ),
)
PRODUCTS = Suite(
    table="products",
    key="id",
    marker="regular_price",
    rules=(missing("id"), share("price_negative", "price < 0", at_most=0.01)),
)
SUITES = (ORDERS, ORDER_REFUNDS, CUSTOMERS, PRODUCTS)
