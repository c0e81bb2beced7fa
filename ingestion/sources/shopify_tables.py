"""Shopify's raw tables, and where in a node of the Admin API each column stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ingestion.parquet import quote
from ingestion.spec import TableSpec

# Where a row stood, and what may be said of it besides (docs/architecture.md).
_TRAILER = {"_file": "v", "_row": "i", "_is_kept": "b", "_is_deleted": "b"}
_MONEY = "{}.shopMoney.amount"


@dataclass(frozen=True)
class NodeTable:
    """One type of node and its raw table.

    `paths`: column to its dotted path in the node, with a type letter after a colon. `parent`: the
    column that holds the id of the node above. `inside`: the field of the root node that holds
    these nodes, where they are not the root itself; `is_connection`: it is a connection (in a bulk
    file its nodes are lines of their own) and no plain list. `is_kept`: SQL over the columns as
    text; `clock`: the column that moves when anything in the root node does.
    """

    name: str
    type_name: str
    paths: Mapping[str, str]
    inside: str | None = None
    is_connection: bool = False
    parent: str | None = None
    is_kept: str = "true"
    clock: str | None = None
    table: TableSpec = field(init=False)

    def __post_init__(self) -> None:
        columns = {name: path.partition(":")[2] or "v" for name, path in self.paths.items()}
        key, *others = columns
        parent = {self.parent: "v"} if self.parent else {}
        ordered = {key: "v", **parent, **{name: columns[name] for name in others}}
        object.__setattr__(self, "table", TableSpec(self.name, ordered | _TRAILER))

    @property
    def structure(self) -> str:
        """What json_transform reads of a node: every leaf as text."""
        tree: dict[str, Any] = {}
        for text in self.paths.values():
            path, _, letter = text.partition(":")
            *above, leaf = path.split(".")
            place = tree
            for name in above:
                place = place.setdefault(name, {})
            place[leaf] = "JSON" if letter == "j" else "VARCHAR"
        return json.dumps(tree)

    @property
    def fields(self) -> list[str]:
        """The top-level fields of a node that the columns read."""
        tops = (text.partition(":")[0].partition(".")[0] for text in self.paths.values())
        return list(dict.fromkeys(tops))

    def objects(
        self, node: Mapping[str, Any], root: Root, *, is_bulk: bool
    ) -> list[Mapping[str, Any]]:
        """The table's nodes in a root node, or in a line of a bulk file, as their fields."""
        is_root = not is_bulk or node.get("__typename") == root.type_name
        if self.inside is None:
            found: Any = [node] if is_root else []
        elif self.is_connection and is_bulk:
            found = [node] if node.get("__typename") == self.type_name else []
        else:
            found = node.get(self.inside) if is_root else []
            found = found.get("nodes") if isinstance(found, dict) else found
        fields = self.fields
        return [
            {name: one[name] for name in fields if name in one}
            for one in (found if isinstance(found, list) else ())
            if isinstance(one, dict)
        ]

    def expressions(self) -> dict[str, str]:
        """Column to its SQL, as text, over `item` (the node) and `parent`."""
        found = {}
        for name, text in self.paths.items():
            path, _, letter = text.partition(":")
            sql = "item." + ".".join(quote(part) for part in path.split("."))
            is_json = letter == "j"
            found[name] = f"nullif(cast({sql} as varchar), 'null')" if is_json else sql
        return found | ({self.parent: "parent"} if self.parent else {})


@dataclass(frozen=True)
class Root:
    """A connection of the API's query root, and the tables that its nodes fill.

    `since`: how its search says "changed since" (None: it is read whole each time). `items` and
    `children`: nodes asked for in one page, halved when the vendor finds a page too expensive.
    `margin`: how much earlier than needed the search begins. `between`: how the search names the
    days of a backfill. The first table is the one whose clock tells where the next run starts.
    """

    name: str
    type_name: str
    tables: tuple[NodeTable, ...]
    since: str | None = None
    between: str = ""
    margin: timedelta = timedelta()
    items: int = 100
    children: int = 0

    @property
    def inside(self) -> str | None:
        """The connection inside each node."""
        return next((table.inside for table in self.tables if table.is_connection), None)

    @property
    def first(self) -> NodeTable:
        """The table of the root's own nodes, or of what stands for them."""
        return self.tables[0]


ORDERS = NodeTable(
    "shop_orders",
    "Order",
    {
        "id": "id", "name": "name", "created_at": "createdAt:t", "updated_at": "updatedAt:t",
        "processed_at": "processedAt:t", "cancelled_at": "cancelledAt:t", "test": "test:b",
        "source_name": "sourceName", "currency_code": "currencyCode", "email": "email",
        "phone": "phone", "display_financial_status": "displayFinancialStatus",
        "display_fulfillment_status": "displayFulfillmentStatus", "cart_token": "cartToken",
        "discount_codes": "discountCodes:j", "tags": "tags:j", "customer_gid": "customer.id",
        "retail_location_gid": "retailLocation.id", "shipping_name": "shippingAddress.name",
        "shipping_country_code": "shippingAddress.countryCodeV2",
        "shipping_province": "shippingAddress.province", "billing_name": "billingAddress.name",
        "billing_country_code": "billingAddress.countryCodeV2",
        "billing_province": "billingAddress.province",
        "total_price": _MONEY.format("totalPriceSet") + ":n",
        "total_refunded": _MONEY.format("totalRefundedSet") + ":n",
    },
    is_kept="coalesce(test, '') <> 'true'",
    clock="updated_at",
)  # fmt: skip
LINE_ITEMS = NodeTable(
    "line_items",
    "LineItem",
    {
        "id": "id", "title": "title", "variant_title": "variantTitle", "sku": "sku",
        "vendor": "vendor", "quantity": "quantity:i", "current_quantity": "currentQuantity:i",
        "is_gift_card": "isGiftCard:b", "product_gid": "product.id", "variant_gid": "variant.id",
        "original_unit_price": _MONEY.format("originalUnitPriceSet") + ":n",
        "currency_code": "originalUnitPriceSet.shopMoney.currencyCode",
        "discount_allocations": "discountAllocations:j",
    },
    inside="lineItems",
    is_connection=True,
    parent="order_gid",
)  # fmt: skip
TRANSACTIONS = NodeTable(
    "order_transactions",
    "OrderTransaction",
    {
        "id": "id", "kind": "kind", "status": "status", "test": "test:b", "gateway": "gateway",
        "created_at": "createdAt:t", "processed_at": "processedAt:t",
        "transaction_amount": _MONEY.format("amountSet") + ":n",
        "currency_code": "amountSet.shopMoney.currencyCode",
    },
    inside="transactions",
    parent="order_gid",
    # Money that moved towards the shop, and the change that the till gave back for cash.
    is_kept="kind in ('SALE', 'CAPTURE', 'CHANGE') and status = 'SUCCESS' "
    "and coalesce(test, '') <> 'true'",
)  # fmt: skip
REFUNDS = NodeTable(
    "shop_refunds",
    "Refund",
    {
        "id": "id", "created_at": "createdAt:t", "processed_at": "processedAt:t",
        "total_refunded": _MONEY.format("totalRefundedSet") + ":n",
        "currency_code": "totalRefundedSet.shopMoney.currencyCode",
    },
    inside="refunds",
    parent="order_gid",
)  # fmt: skip
CUSTOMERS = NodeTable(
    "customers",
    "Customer",
    {
        "id": "id", "first_name": "firstName", "last_name": "lastName", "state": "state",
        "locale": "locale", "tags": "tags:j", "created_at": "createdAt:t",
        "updated_at": "updatedAt:t", "email_address": "defaultEmailAddress.emailAddress",
        "email_marketing_state": "defaultEmailAddress.marketingState",
        "email_marketing_opt_in_level": "defaultEmailAddress.marketingOptInLevel",
        "email_marketing_updated_at": "defaultEmailAddress.marketingUpdatedAt:t",
        "phone_number": "defaultPhoneNumber.phoneNumber",
        "sms_marketing_state": "smsMarketingConsent.marketingState",
        "sms_marketing_opt_in_level": "smsMarketingConsent.marketingOptInLevel",
        "sms_marketing_updated_at": "smsMarketingConsent.consentUpdatedAt:t",
        "country_code": "defaultAddress.countryCodeV2", "address_province":
        "defaultAddress.province", "city": "defaultAddress.city", "address1":
        "defaultAddress.address1",
    },
    clock="updated_at",
)  # fmt: skip
VARIANTS = NodeTable(
    "product_variants",
    "ProductVariant",
    {
        "id": "id", "title": "title", "sku": "sku", "barcode": "barcode",
        "variant_price": "price:n", "updated_at": "updatedAt:t", "product_gid": "product.id",
        "product_title": "product.title", "product_type": "product.productType",
        "vendor": "product.vendor", "product_status": "product.status",
        "product_tags": "product.tags:j", "product_updated_at": "product.updatedAt:t",
    },
    inside="variants",
    is_connection=True,
    clock="product_updated_at",
)  # fmt: skip
LOCATIONS = NodeTable(
    "locations",
    "Location",
    {
        "id": "id", "name": "name", "is_active": "isActive:b", "created_at": "createdAt:t",
        "updated_at": "updatedAt:t", "address_province": "address.province",
        "city": "address.city", "country_code": "address.countryCode",
    },
    clock="updated_at",
)  # fmt: skip

ROOTS = (
    Root(
        "orders",
        "Order",
        (ORDERS, LINE_ITEMS, TRANSACTIONS, REFUNDS),
        since="test:false updated_at:>='{:%Y-%m-%dT%H:%M:%SZ}'",
        between="test:false created_at:>='{:%Y-%m-%dT%H:%M:%SZ}' "
        "created_at:<'{:%Y-%m-%dT%H:%M:%SZ}'",
        items=25,
        children=20,
    ),
    # The search compares a customer's time by whole days, of the shop's own time zone.
    Root(
        "customers",
        "Customer",
        (CUSTOMERS,),
        since="updated_at:>='{:%Y-%m-%d}'",
        between="updated_at:>='{:%Y-%m-%d}' updated_at:<='{:%Y-%m-%d}'",
        margin=timedelta(days=1),
    ),
    Root(
        "products",
        "Product",
        (VARIANTS,),
        since="updated_at:>='{:%Y-%m-%dT%H:%M:%SZ}'",
        between="created_at:>='{:%Y-%m-%dT%H:%M:%SZ}' created_at:<'{:%Y-%m-%dT%H:%M:%SZ}'",
        items=25,
        children=20,
    ),
    Root("locations", "Location", (LOCATIONS,)),
)
