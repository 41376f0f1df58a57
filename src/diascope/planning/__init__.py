"""From what the data is to what will be done and why."""
