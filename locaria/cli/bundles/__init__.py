"""Commands for ingested bundles and the archive of their files."""
