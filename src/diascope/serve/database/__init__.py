"""Tables, opening and migrations of the service's two databases: the index, and the identities apart from it."""
