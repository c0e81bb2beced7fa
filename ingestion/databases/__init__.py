"""Databases that a `sql` source reads: one module per dialect, chosen by the URL's scheme."""
