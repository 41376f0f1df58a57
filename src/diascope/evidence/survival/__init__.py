"""Time to an event that not everybody has had yet: curves, concordance, Brier score and tests, in plain numpy.

Shapes: `time` (N,) to the event or to the end of follow-up; `event` (N,) bool, whether it was seen; curves are right
continuous steps. Definitions are in `docs/concepts/evidence.md`; agreement with other programs is in `tests/golden`.
"""
