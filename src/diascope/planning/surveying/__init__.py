"""How a survey is taken: what is measured (`measuring`), of which files (`reading`), by which processes (`parallel`).

`room` says how many of them have room in memory.
"""
