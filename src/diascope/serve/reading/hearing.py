"""A release is asked about folders of files, one for each question; what it says stays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diascope.core.errors import DataRefused, DiascopeError
from diascope.core.finding import Findings
from diascope.core.image import Image
from diascope.engine.task import Prediction
from diascope.reports.answers import Answers, Asked, picture
from diascope.stages.predict import Predictor, Session, incoming


@dataclass(frozen=True, eq=False)
class Said:
    """What a release said about one series.

    Args:
        findings: Each of them abstains where the release refused.
        prediction: None where it refused.
        images: As they were read.
        why: Why it refused, "" where it did not.
    """

    findings: Findings
    prediction: Prediction | None = field(default=None, repr=False)
    images: Mapping[str, Image] = field(default_factory=dict, repr=False)
    why: str = ""


class Heard(Answers):
    """Keeps what was said; writes nothing."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__(predictor.opened, predictor.ready.words)
        self.kept: dict[Path, Said] = {}

    def said(self, asked: Asked, prediction: Prediction, images: Mapping[str, Image]) -> Findings:
        """Keep what a reading gave."""
        found = self.record(asked, prediction.findings, {}, (images, self.remarks(asked, images)))
        self.kept[asked.folder] = Said(found, prediction, images)
        return found

    def refused(self, asked: Asked, error: DiascopeError) -> Findings:
        """Keep why there is no answer."""
        why = "; ".join(getattr(error, "reasons", ())) or str(error).replace(f"{asked.root}/", "")
        found = self.record(asked, self.abstained(f"not available, because {why}"), {}, ({}, []))
        self.kept[asked.folder] = Said(found, why=why)
        return found


def hear(predictor: Predictor, folders: Mapping[str, Path]) -> dict[str, Said | DiascopeError]:
    """What a release says about some series; small pictures are read together.

    Args:
        predictor: The release.
        folders: Name of a question to the folder that holds its series and nothing else.

    Returns:
        For each name what was said, or why nothing could be asked.
    """
    heard = Heard(predictor)
    session = Session(predictor, heard)
    found: dict[str, Said | DiascopeError] = {}
    for name, folder in folders.items():
        try:
            cases = list(incoming(str(folder), predictor.opened))
            if len(cases) != 1:
                raise DataRefused("the series holds several images that could be meant", given=f"{len(cases)}")
        except DiascopeError as error:
            found[name] = error
            continue
        session.ask(cases[0], Asked(cases[0].case, cases[0].root, folder, (*predictor.ready.notes, *cases[0].notes)))
    session.finish()
    return found | {name: heard.kept[folder] for name, folder in folders.items() if name not in found}


def drawn(predictor: Predictor, said: Said) -> bytes | None:
    """A PNG of the answer, for viewers that show no masks."""
    if said.prediction is None:
        return None
    return picture(predictor.opened, said.prediction, said.images, said.findings.case)
