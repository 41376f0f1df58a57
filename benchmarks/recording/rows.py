"""Rows of BENCHMARKS.md: what was measured, with data hash, machine and commit."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diascope.engine.devices import capabilities, describe


def data_hash(folder: Path) -> str:
    """The first 12 digits of a hash of every file's name and bytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def commit() -> str:
    """The commit that is measured; marked where the tree differs from it."""
    changed = _git("status", "--porcelain", "src")
    return f"{_git('rev-parse', '--short', 'HEAD')}{'+changes' if changed else ''}"


def _git(*words: str) -> str:
    found = subprocess.run(["git", *words], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def machine() -> str:
    """Cores, processor and whether it has AMX."""
    found = capabilities()
    name = describe().get("processor", "unknown processor")
    return f"{found.cores} cores, {name}, AMX {'yes' if found.amx else 'no'}"


def store(folder: Path, key: str, row: dict[str, Any]) -> None:
    """Keep a row."""
    path = folder / "rows.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    rows[key] = {**row, "commit": commit(), "machine": machine()}
    path.write_text(json.dumps(rows, indent=1))


def stored(folder: Path, key: str) -> dict[str, Any] | None:
    """A row that was kept, None where there is none."""
    path = folder / "rows.json"
    return json.loads(path.read_text()).get(key) if path.exists() else None


def markdown(name: str, script: str, rows: Sequence[dict[str, Any] | None], metric: str) -> str:
    """A line for BENCHMARKS.md: the mean over seeds, and each seed with its interval."""
    known = [row for row in rows if row is not None]
    values = [row["metrics"][metric] for row in known]
    mean = sum(value["value"] for value in values) / len(values)
    each = "; ".join(_words(value) for value in values)
    first = known[0]
    cpu = sum(row["cpu_minutes"] for row in known)
    seeds = ", ".join(str(row["seed"]) for row in known)
    where = [first["data"], first["plan"], first["machine"], first["commit"]]
    cells = [name, f"`python benchmarks/{script}`", *where, f"{cpu:.1f}", seeds, f"{mean:.4f}: {each}"]
    return "| " + " | ".join(cells) + " |"


def _words(value: dict[str, Any]) -> str:
    interval = f" ({value['low']:.4f}–{value['high']:.4f})" if value["low"] is not None else ""
    return f"{value['value']:.4f}{interval}"
