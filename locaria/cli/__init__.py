"""The `locaria` command."""
