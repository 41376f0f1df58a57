"""Plug-ins of another package, found by their entry points: what decision 0004 was made and is kept honest with.

Nothing in `src/` knows them. They go through check, fit, report, evaluate and predict as they are; a change of the
protocols that needs one of these files to be edited is a change that breaks other people's plug-ins.
"""
