"""How a check judges and words what it found, and what the severities mean together (`verdict`)."""
