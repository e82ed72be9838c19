"""The PostgreSQL server of the local runtime: found, initialised, started, stopped."""
