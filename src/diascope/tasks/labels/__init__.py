"""Parts of the task of several labels: what is known of each, what is said of it, how that is measured and drawn."""
