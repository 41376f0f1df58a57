"""train_plan: train a plan's file, then evaluate and pack it, as `fit` does after planning."""

from __future__ import annotations

import os
import time
from pathlib import Path

from diascope.engine.progress import Tell, silent
from diascope.stages.train import train
from diascope.store.workspace import Workspace
from diascope.workflows.fit import Fitted, finish


def train_plan(
    workspace: Workspace, plan_file: Path, options: tuple[bool, int], tell: Tell = silent, lang: str = "en"
) -> Fitted | None:
    """Train a plan.

    Args:
        workspace: Everything is written there.
        plan_file: The plan.
        options: Whether to resume; how many devices.
        tell: Told about progress.
        lang: Language of the report.

    Returns:
        What was made; None on every process but the first of a distributed run.
    """
    began = time.monotonic()
    resume, devices = options
    _, run_folder = train(workspace, plan_file, resume, devices, tell)
    if int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) != 0:
        return None
    return finish(workspace, run_folder, (began, tell, lang))
