"""The verbs as typed functions: what the command line does, without its printing.

Each takes a workspace (a folder, `diascope-workspace` by default) in which everything is written, and returns the
records that it made. Errors are those of `core/errors.py`. What may be said about the data and the work is the same
everywhere, so it is written down once, in `DataOptions` and `FitOptions`.
"""

from diascope.api.learning import adopt, check, fit, plan, pretrain, train
from diascope.api.measuring import longitudinal, radiomics, search
from diascope.api.places import WORKSPACE
from diascope.api.reading import Opened, compare, evaluate, explain, open_release, predict, synthesize
from diascope.api.releasing import export, release
from diascope.store.workspace import Workspace

__all__ = [
    "WORKSPACE",
    "Opened",
    "Workspace",
    "adopt",
    "check",
    "compare",
    "evaluate",
    "explain",
    "export",
    "fit",
    "longitudinal",
    "open_release",
    "plan",
    "predict",
    "pretrain",
    "radiomics",
    "release",
    "search",
    "synthesize",
    "train",
]
