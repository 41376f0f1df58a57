"""Work that outlives a crash: a queue in the database, and the worker that does what is in it."""
