"""Commands for bundle ingest and the archive of ingested files."""
