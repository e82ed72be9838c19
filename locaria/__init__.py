"""Locaria: an INSERT is all it takes to run a container."""
