"""Run the command as `python -m locaria.cli`."""

from locaria.cli import main

main(prog_name="locaria")
