"""The documentation site: `make docs` assembles, generates and builds its pages."""
