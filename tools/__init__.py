"""Programs for those who change Locaria: the documentation site, the prose check, the release."""
