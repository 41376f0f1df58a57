"""Models that others made, from what a person or a bundle says about them to the fields of a plan."""
