"""Measured claims: each prints its figures beside the bar on its last line."""
