"""Khách: the open-source customer-data pipeline for retailers."""

__version__ = "0.1.0"
