"""HTTP: the application, who is asking, errors, and one file of routes a noun."""
