"""Launchers: they start tasks as processes, with Docker, or on ECS."""
