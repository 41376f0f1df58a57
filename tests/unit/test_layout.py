"""The shape of the code: sizes, names, and who may know a task's name."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from diascope.core import registry

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "diascope"
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 400, 50
FORBIDDEN = {"utils", "util", "common", "helpers", "helper", "misc", "base", "manager", "wrapper"}
SMALL_FILES_ONLY = {*(SOURCE / "cli").glob("*.py"), *SOURCE.glob("serve/database/migrations/**/*.py")}
"""Exempt from the length of functions: signatures are options of the command line; migrations are lists of columns."""


FOLDER_NAMES = {
    "src/diascope/sources/folders/pairs.py",
    "src/diascope/formats/annotated/json_lines.py",
    "src/diascope/sources/annotated/listing.py",
}
"""How people name the folder of their masks, or the list of spans in a record: a word of theirs and no task."""
TEST_FOLDERS = {"unit", "conformance", "property", "golden", "journey", "browser", "gpu"}


def label(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and number of lines of every function, its docstring left out."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            yield node.name, lines


def test_no_file_is_too_long():
    lengths = {label(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_too_long():
    found = {
        f"{label(path)}: {name}": lines
        for path in FILES
        if path not in SMALL_FILES_ONLY
        for name, lines in functions(path)
        if lines > FUNCTION_LINES
    }
    assert found == {}


def test_no_module_has_a_name_that_says_nothing():
    named = [path for path in SOURCE.rglob("*") if path.suffix == ".py" or path.is_dir()]
    assert [label(path) for path in named if path.stem.lower() in FORBIDDEN] == []


@pytest.mark.parametrize("task", registry.names("tasks"))
def test_no_tasks_name_stands_outside_tasks(task):
    """Whoever asks which task it is has found a hole in the protocol (decision 0004)."""
    found = [
        f"{label(path)}:{node.lineno}"
        for path in FILES
        if SOURCE / "tasks" not in path.parents
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and node.value == task
    ]
    assert [place for place in found if place.split(":")[0] not in FOLDER_NAMES] == []


@pytest.mark.parametrize("family", registry.FAMILIES)
def test_every_module_of_a_family_is_a_plugin(family):
    constant = registry.FAMILIES[family]
    for path in sorted((SOURCE / family).glob("*.py")):
        if path.stem == "__init__":
            continue
        assert not path.stem.startswith("_"), "shared parts live in a sub-package"
        targets = [
            ast.unparse(target)
            for node in tree(path).body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        ]
        assert constant in targets, label(path)


def test_every_test_lies_in_a_known_folder():
    tests = ROOT / "tests"
    assert {path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")} <= TEST_FOLDERS


def test_nothing_that_runs_code_on_loading_is_called():
    """No pickle crosses the workspace's border (decision 0005); of archives of torch arrays alone are read (0008)."""
    found = []
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import) and any(one.name.split(".")[0] in {"pickle", "dill"} for one in node.names):
                found.append(f"{label(path)}:{node.lineno} import pickle")
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "torch.load"
                and "weights_only=True" in ast.unparse(node)
            ):
                continue  # arrays alone: what somebody else trained (decision 0011)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"torch.load", "pickle.load", "pickle.loads"}:
                arrays_only = any(
                    one.arg == "weights_only" and ast.unparse(one.value) == "True" for one in node.keywords
                )
                if ast.unparse(node.func) != "torch.load" or not arrays_only:
                    found.append(f"{label(path)}:{node.lineno} {ast.unparse(node.func)}")
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
                found.append(f"{label(path)} allow_pickle")
    assert found == []


def test_no_dependency_brings_what_does_not_work_beside_a_cpu_torch():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = [
        *project["dependencies"],
        *(one for extra in ("fast", "export", "dev") for one in project["optional-dependencies"][extra]),
    ]
    names = {line.split(">")[0].split("=")[0].split("<")[0].strip().lower() for line in installed}
    assert names.isdisjoint({"torchvision", "timm", "xgboost", "intel-extension-for-pytorch", "pylibjpeg-libjpeg"})
