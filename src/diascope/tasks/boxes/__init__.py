"""Boxes as a network says them: the head, what is taught where, the loss, and what is kept of many candidates."""
