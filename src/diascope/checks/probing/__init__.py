"""Shortcut probes: what a label could be guessed from without looking at the patient."""
