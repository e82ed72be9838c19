"""Commands for files: submit, list, show, watch, log and control them."""
