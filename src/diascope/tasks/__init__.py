"""Tasks: each module is one thing that can be learnt, as `TASK` (protocol in `engine/task.py`)."""
