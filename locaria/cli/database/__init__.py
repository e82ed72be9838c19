"""Commands for the database: install, upgrade, inspect, and a SQL prompt."""
