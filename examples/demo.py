"""`make demo`: the main job from end to end on invented patients, or on your own folder.

Without arguments: 60 invented CT patients are written as DICOM series; a segmentation and a classification are trained,
measured and packed; then a study that neither has seen is read, and the answer is written as a DICOM SEG.
With --data FOLDER: the same on your data, and one of its test cases is read.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import diascope
from diascope.console import Console
from diascope.core.case import Case, Dataset, FileRef
from diascope.core.errors import DiascopeError
from diascope.sources import SourceOptions
from diascope.sources.phantom import SOURCE
from diascope.stages.predict import answered
from diascope.workflows.fit import Fitted

UNSEEN_SEED = 20_261
"""Of a patient that is not among those trained on (seed 0)."""
JOBS = (("organs", 2.3), ("diagnosis", 1.9))
"""What is learnt from the invented patients, and in how many minutes."""


def main() -> int:
    """Run the demo; returns an exit code."""
    options = parsed()
    console = Console(quiet=False, as_json=False)
    began = time.monotonic()
    try:
        if options.data is None:
            on_phantoms(options, console)
        else:
            on_your_data(options, console)
    except DiascopeError as error:
        say(f"\n{error}")
        return error.exit_code
    say(f"\nThe whole demo took {(time.monotonic() - began) / 60:.1f} minutes. Not a medical device.")
    return 0


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="The main job of Diascope, from end to end.")
    parser.add_argument("--data", type=Path, help="your folder; invented patients without it")
    parser.add_argument("--workspace", type=Path, default=Path("demo"), help="where everything is written")
    parser.add_argument("--minutes", type=float, help="for each model; 2.3 and 1.9 on invented patients, 15 on yours")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def on_phantoms(options: argparse.Namespace, console: Console) -> None:
    """Two models of 60 invented patients, and one study that neither has seen."""
    say("Diascope: 60 invented CT patients, two models, one new study. About 5 minutes on 2 cores.")
    made = []
    for target, minutes in JOBS:
        say(f"\n== {target}: {options.minutes or minutes} minutes ==")
        made.append(trained("phantom", options, options.minutes or minutes, console, target))
    say("\n== a study that neither model has seen ==")
    study = unseen_study(options.workspace / "unseen")
    for fitted in made:
        read(fitted, study, options.workspace / "answers" / fitted.release.name, console)
    where(made, options.workspace)


def on_your_data(options: argparse.Namespace, console: Console) -> None:
    """One model of your data, and one of its test cases."""
    minutes = options.minutes or 15.0
    say(f"Diascope: {options.data}, {minutes:g} minutes.\n")
    fitted = trained(str(options.data), options, minutes, console)
    study = tested_case(options.workspace, fitted)
    if study is not None:
        say("\n== one case that it was not trained on ==")
        read(fitted, study, options.workspace / "answers" / fitted.release.name, console)
    where([fitted], options.workspace)


def trained(
    location: str, options: argparse.Namespace, minutes: float, console: Console, target: str | None = None
) -> Fitted:
    """The main job: check, plan, train, evaluate, pack, report."""
    # One split: cross-validation of 60 patients is the default, and takes five times as long.
    chosen: dict[str, Any] = {} if target is None else {"target": target, "folds": 1}
    fitted = diascope.fit(location, options.workspace, tell=console.tell, minutes=minutes, seed=options.seed, **chosen)
    console.show_fitted(fitted)
    return fitted


def unseen_study(folder: Path) -> Path:
    """One fresh invented patient: the folder of a DICOM series, without its answers."""
    listing = SOURCE.list(f"phantom:{UNSEEN_SEED}:1:{folder}", SourceOptions())
    return study_of(listing.cases[0], listing.root)


def tested_case(workspace: Path, fitted: Fitted) -> Path | None:
    """A test case of the data set (any case of a cross-validated one), where it is one file or one series."""
    dataset = Dataset.read(workspace / "datasets" / fitted.dataset / "dataset.json")
    for case in dataset.part("test") or dataset.cases:
        refs = list(case.inputs.values())
        if len(refs) == 1 and isinstance(refs[0], FileRef) and refs[0].item is None:
            return study_of(case, Path(dataset.root))
    return None


def study_of(case: Case, root: Path) -> Path:
    """The file of a case, or the folder of its series."""
    ref = next(ref for ref in case.inputs.values() if isinstance(ref, FileRef))
    first = root / ref.paths[0]
    return first.parent if len(ref.paths) > 1 else first


def read(fitted: Fitted, study: Path, out: Path, console: Console) -> None:
    """What a release says about a study."""
    console.show_findings(answered(fitted.release_folder, str(study), out), out)


def where(made: list[Fitted], workspace: Path) -> None:
    """Where to look."""
    say("\nLook at")
    for fitted in made:
        say(f"  report   {fitted.report}")
    for fitted in made:
        for path in sorted((workspace / "answers" / fitted.release.name).rglob("*")):
            if path.suffix in (".dcm", ".gz", ".png", ".json"):
                say(f"  answer   {path}")
    say("Next: diascope fit YOUR-FOLDER, or make demo DATA=YOUR-FOLDER")


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
