"""The kinds of sources: one line per module, imported when a configuration names the kind."""

from __future__ import annotations

from importlib import import_module

from ingestion.spec import SourceSpec

MODULES = {
    "files": "ingestion.sources.files",
    "sql": "ingestion.sources.sql",
    "segment": "ingestion.sources.segment",
    "snowplow": "ingestion.sources.snowplow",
    "ga4": "ingestion.sources.ga4",
    "mailchimp": "ingestion.sources.mailchimp",
    "woocommerce": "ingestion.sources.woocommerce",
    "square": "ingestion.sources.square",
    "shopify": "ingestion.sources.shopify",
    "twilio": "ingestion.sources.twilio",
}


def source_spec(kind: str) -> SourceSpec:
    """The `SPEC` of a kind; KeyError when the kind is unknown."""
    spec: SourceSpec = import_module(MODULES[kind]).SPEC
    return spec
