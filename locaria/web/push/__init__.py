"""Subscriptions: from one LISTEN connection to any number of clients."""
