"""prepare: check, curate, plan. What `diascope plan` does, and `fit` begins with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope.core.plan import Plan
from diascope.engine.progress import Tell, silent
from diascope.planning.budget import Budget
from diascope.sources import Request
from diascope.sources.publicsets.locating import located
from diascope.stages.check import look
from diascope.stages.curate import curate
from diascope.stages.plan import plan
from diascope.store.workspace import Workspace


def prepare(
    workspace: Workspace,
    request: Request,
    budget: Budget,
    by_hand: Mapping[str, Any],
    tell: Tell = silent,
    begin: str | None = None,
) -> tuple[Plan, Path]:
    """From a folder to a plan.

    Args:
        workspace: Everything is written there.
        request: Which data, which target.
        budget: Time and memory.
        by_hand: Plan fields set by the user.
        tell: Told about progress.
        begin: Release or pretrained encoder whose weights are started from.

    Returns:
        The plan and its file.
    """
    located(request.location, tell)  # fetched before the clock starts: the budget is for the work
    began = time.monotonic()
    looked = look(request, tell)
    tell({"event": "checked", "problems": looked.problems})
    curated = curate(workspace, looked, request)
    spent = budget.model_copy(update={"spent_seconds": time.monotonic() - began})
    made, path = plan(workspace, curated.folder, spent, by_hand, request.seed, tell, begin)
    tell({"event": "planned", "plan": made})
    return made, path
