"""Whether one way of running a network may stand in for another."""
