"""Types of answers, as the service writes them."""
