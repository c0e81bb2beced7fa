"""Numbered SQL steps that bring a state file from one released version to the next."""
