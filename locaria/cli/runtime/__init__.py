"""Commands that run Locaria: on this machine, as an agent, or as a web server."""
