"""Dagster and nothing else: assets, checks, the daily job, and `khach run` as the same job."""
