"""Keeping the service: back-up and restore, retention, keys, what is done once a minute."""
