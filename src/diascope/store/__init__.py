"""The workspace, releases on disk, hashes."""
