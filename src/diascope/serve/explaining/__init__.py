"""What is made of results on demand: maps of what led to a finding, and earlier cases that look alike."""
