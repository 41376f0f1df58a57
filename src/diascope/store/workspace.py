"""The workspace: a folder with everything that Diascope knows, used by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diascope.core.errors import UnknownName, WorkspaceBusy

FOLDERS = ("datasets", "plans", "runs", "evaluations", "releases", "encoders", "reports", "cache")


def process_rank() -> int:
    """Number of this process in a job of several (set by torchrun, or by `--devices`); 0 where it is alone."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))


class Workspace:
    """Places on disk, one folder a noun.

    Args:
        root: The folder; made where it does not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).resolve()
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    @property
    def datasets(self) -> Path:
        """`datasets/<name>@<hash>/`."""
        return self.root / "datasets"

    @property
    def plans(self) -> Path:
        """`plans/<name>.json`."""
        return self.root / "plans"

    @property
    def runs(self) -> Path:
        """`runs/<name>/`."""
        return self.root / "runs"

    @property
    def evaluations(self) -> Path:
        """`evaluations/<name>.json`."""
        return self.root / "evaluations"

    @property
    def releases(self) -> Path:
        """`releases/<model>@<version>/`."""
        return self.root / "releases"

    @property
    def encoders(self) -> Path:
        """`encoders/<name>@<version>/`: what `pretrain` makes."""
        return self.root / "encoders"

    @property
    def reports(self) -> Path:
        """HTML files."""
        return self.root / "reports"

    @property
    def cache(self) -> Path:
        """What can be computed again."""
        return self.root / "cache"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace for this process; of the processes of one job (torchrun) the first holds it for all.

        Raises:
            WorkspaceBusy: When another process holds it; names the process.
        """
        if process_rank():
            yield
            return
        path = self.root / ".lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(handle, 100, 0).decode(errors="replace").strip() or "unknown"
                raise WorkspaceBusy(
                    f"the workspace {self.root} is in use by process {holder}",
                    todo="Wait until it is done, or choose another folder with --workspace",
                ) from error
            os.truncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(handle)

    def find(self, family: str, name: str) -> Path:
        """The folder (or file) of a noun by its name, its full path, or a unique beginning of its name.

        Raises:
            UnknownName: When there is none, or several; lists those that exist.
        """
        given = Path(name)
        if given.exists():
            return given.resolve()
        folder = self.root / family
        exact = folder / name
        if exact.exists():
            return exact
        known = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        matching = [known_name for known_name in known if known_name.startswith(name)]
        if len(matching) != 1:
            raise UnknownName(family.rstrip("s"), name, matching or known)
        return folder / matching[0]


def free_name(folder: Path, stem: str, suffix: str = "") -> str:
    """`stem`, or `stem-2`, `stem-3`, ...: the first that does not exist with `suffix`."""
    number, name = 1, stem
    while (folder / f"{name}{suffix}").exists():
        number += 1
        name = f"{stem}-{number}"
    return name
