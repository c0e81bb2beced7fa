"""The GraphQL documents that the Shopify connector sends (Admin API 2026-07).

One selection of fields serves both roads: pages (variables, `page:` names the root connection) and
bulk operations (no variables; every connection becomes lines of a file). `__typename` stands in
every node because its occurrences in the bytes are the count of the rows offered.
"""

from __future__ import annotations

from ingestion.sources.shopify_tables import Root

_MONEY = "{ shopMoney { amount currencyCode } }"
_ADDRESS = "{ name countryCodeV2 province }"
_FIELDS = {
    "orders": f"""
      __typename id name createdAt updatedAt processedAt cancelledAt test sourceName currencyCode
      email phone displayFinancialStatus displayFulfillmentStatus cartToken discountCodes tags
      customer {{ id }} retailLocation {{ id }}
      shippingAddress {_ADDRESS} billingAddress {_ADDRESS}
      totalPriceSet {_MONEY} totalRefundedSet {_MONEY}
      transactions {{
        __typename id kind status test gateway createdAt processedAt amountSet {_MONEY}
      }}
      refunds {{ __typename id createdAt processedAt totalRefundedSet {_MONEY} }}""",
    "customers": """
      __typename id firstName lastName state locale tags createdAt updatedAt
      defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }
      defaultPhoneNumber { phoneNumber }
      smsMarketingConsent { marketingState marketingOptInLevel consentUpdatedAt }
      defaultAddress { countryCodeV2 province city address1 }""",
    "products": "__typename id",
    "locations": """
      __typename id name isActive createdAt updatedAt address { province city countryCode }""",
}
# The connection inside a root node, and its fields.
_INSIDE = {
    "orders": (
        "lineItems",
        f"""
        __typename id title variantTitle sku vendor quantity currentQuantity isGiftCard
        product {{ id }} variant {{ id }} originalUnitPriceSet {_MONEY}
        discountAllocations {{ allocatedAmountSet {_MONEY} }}""",
    ),
    "products": (
        "variants",
        """
        __typename id title sku barcode price updatedAt
        product { id title productType vendor status tags updatedAt }""",
    ),
}
# What else a root's connection is told: orders of the test gateway are not asked for.
_ALWAYS = {"orders": 'query: "test:false"', "locations": "includeInactive: true"}
_OPERATION = """
  id status errorCode createdAt objectCount rootObjectCount fileSize url partialDataUrl query"""

BULK_RUN = f"""
mutation Run($query: String!) {{
  bulkOperationRunQuery(query: $query) {{
    bulkOperation {{ {_OPERATION} }}
    userErrors {{ code field message }}
  }}
}}"""
BULK_STATE = f"query State($id: ID!) {{ bulkOperation(id: $id) {{ {_OPERATION} }} }}"
BULK_RECENT = f"""
query Recent {{
  bulkOperations(first: 10, reverse: true, query: "operation_type:query") {{
    nodes {{ {_OPERATION} }}
  }}
}}"""
SHOP = """
query Shop { shop { name currencyCode ianaTimezone } }"""


def page_query(root: Root) -> str:
    """One page of a root's nodes, with one page of what is inside each."""
    variables, arguments = "$first: Int!, $after: String", "first: $first, after: $after"
    inside = ""
    if root.since:
        variables += ", $query: String"
        arguments += ", query: $query, sortKey: UPDATED_AT"
    else:
        arguments += f", {_ALWAYS[root.name]}, sortKey: ID"
    if root.name in _INSIDE:
        name, fields = _INSIDE[root.name]
        variables += ", $children: Int!, $childAfter: String"
        inside = f"""
      {name}(first: $children, after: $childAfter) {{
        nodes {{ {fields} }}
        pageInfo {{ hasNextPage endCursor }}
      }}"""
    return f"""
query Page({variables}) {{
  page: {root.name}({arguments}) {{
    nodes {{ {_FIELDS[root.name]}{inside} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}"""


def bulk_query(root: Root) -> str:
    """Everything of a root, as a bulk operation exports it."""
    return _bulk(root, _FIELDS[root.name], _INSIDE.get(root.name, ("", ""))[1])


def keys_query(root: Root) -> str:
    """The ids of everything there is, to find out what has been deleted."""
    return _bulk(root, "__typename id", "__typename id" if root.first.inside else "")


def _bulk(root: Root, fields: str, inner: str) -> str:
    arguments = f"({_ALWAYS[root.name]})" if root.name in _ALWAYS else ""
    inside = f" {_INSIDE[root.name][0]} {{ edges {{ node {{ {inner} }} }} }}" if inner else ""
    return f"{{ {root.name}{arguments} {{ edges {{ node {{ {fields}{inside} }} }} }} }}"


def documents() -> dict[str, str]:
    """Every document the connector may send, by name: what the contract is checked against."""
    from ingestion.sources.shopify_tables import ROOTS

    found = {"run": BULK_RUN, "state": BULK_STATE, "recent": BULK_RECENT, "shop": SHOP}
    for root in ROOTS:
        found[f"{root.name} page"] = page_query(root)
        found[f"{root.name} bulk"] = bulk_query(root)
        found[f"{root.name} keys"] = keys_query(root)
    return found
