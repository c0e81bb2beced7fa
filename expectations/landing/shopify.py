"""Shopify's tables, in the words of the Admin API; test orders and failed payments are not kept."""

from expectations.landing.vendor import vendor_table
from expectations.rules import malformed_email, share

SUITES = (
    vendor_table(
        "shop_orders",
        share("total_price_negative", "total_price < 0", at_most=0.01),
        malformed_email("email", at_most=0.5, severity="error"),
        needs="created_at processed_at currency_code total_price display_financial_status",
        past="created_at updated_at",
        newest="updated_at",
    ),
    vendor_table(
        "line_items",
        share("original_unit_price_negative", "original_unit_price < 0", at_most=0.01),
        needs="order_gid quantity original_unit_price currency_code",
    ),
    vendor_table(
        "order_transactions",
        needs="order_gid kind transaction_amount currency_code",
        past="created_at",
    ),
    vendor_table(
        "shop_refunds",
        share("total_refunded_negative", "total_refunded < 0", at_most=0.01),
        needs="order_gid total_refunded currency_code",
        past="created_at",
    ),
    vendor_table(
        "customers",
        malformed_email("email_address", at_most=0.5, severity="error"),
        marker="email_marketing_state",
        past="created_at updated_at email_marketing_updated_at",
    ),
    vendor_table(
        "product_variants",
        share("variant_price_negative", "variant_price < 0", at_most=0.01),
        needs="product_gid",
        past="updated_at",
    ),
    vendor_table("locations", marker="is_active", needs="name"),
)
