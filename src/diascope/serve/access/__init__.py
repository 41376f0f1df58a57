"""Who may do what: roles and permissions, passwords, logins, tokens, limits, users. It knows no HTTP."""
