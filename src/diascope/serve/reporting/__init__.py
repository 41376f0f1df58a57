"""The report of a study: a draft of what readers decided, what was signed, and how it goes back to the hospital."""
