"""Who may call the API: identities, tokens, origins and tickets."""
