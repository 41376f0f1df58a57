"""What arrives: parsed apart, kept, indexed, audited, and only then acknowledged (decision 0016)."""
