"""Data in: vendors' deliveries land unchanged in meaning as Parquet in the lake, by dlt."""
