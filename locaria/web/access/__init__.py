"""Access control: identities, tokens, tickets, origins and security headers."""
