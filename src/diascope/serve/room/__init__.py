"""The reading room: pages for people, rendered on the server; what they do goes through the API (decision 0017)."""
