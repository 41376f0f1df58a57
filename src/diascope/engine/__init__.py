"""The loop, fitting, feeding, reading, checkpoints, devices, and the TASK protocol."""
