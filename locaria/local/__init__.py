"""Locaria without AWS: Postgres, the Lambda queue and the ECS control plane on one machine."""
