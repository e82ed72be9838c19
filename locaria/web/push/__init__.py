"""Subscriptions: one LISTEN connection serves any number of clients."""
