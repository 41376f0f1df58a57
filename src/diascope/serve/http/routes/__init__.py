"""Routes: one file a noun; each route names its operation in the matrix of permissions."""
