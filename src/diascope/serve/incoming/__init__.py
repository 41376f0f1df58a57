"""What arrives: received, indexed, and found complete."""
