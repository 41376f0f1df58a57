"""How sure a number is: intervals, calibration, operating points, comparisons (docs/concepts/evidence.md)."""
