"""Audiences to channels: a plan before, a receipt after, and permission always (docs/sync.md)."""
