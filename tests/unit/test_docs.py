"""The docs say what is: generated pages do not lag, commands and options exist, links lead somewhere, tutorials run."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from diascope.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("tests/**/*.md")]
)
EXECUTED = "executed by the tests"
"""What a how-to says of itself when it is run as the tutorials are."""
RUN = ("multilabel.md", "signals.md", "synthesis.md", "entities.md", "preprocessing.md", "transfer.md")
"""How-tos that are run, and do not say so."""
TUTORIALS = sorted(
    [
        *ROOT.glob("docs/tutorials/*.md"),
        *(
            path
            for path in ROOT.glob("docs/how-to/*.md")
            if path.name in RUN or EXECUTED in path.read_text(encoding="utf-8")
        ),
    ]
)
"""Pages that are run from an empty folder."""
PICTURES_TO_COME: set[str] = set()
"""Shown by the READMEs; a picture of a real report that is put there with the first release."""
COMMANDS = typer.main.get_command(app).commands


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


def blocks(path: Path) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def command_lines(path: Path) -> list[str]:
    """Every call of the program in a shell block, without its comment."""
    lines = [
        line.split(" #")[0].strip() for language, text in blocks(path) if language == "sh" for line in text.splitlines()
    ]
    return [line for line in lines if line.startswith("diascope ")]


def names(pages: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in pages]


def test_generated_pages_are_as_the_program_is():
    lagging = [
        str(path.relative_to(ROOT))
        for path, content in generator().pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != content
    ]
    assert lagging == [], "run: make docs"


@pytest.mark.parametrize("path", PAGES, ids=names(PAGES))
def test_every_command_and_option_exists(path):
    for line in command_lines(path):
        verb, *words = line.split()[1:]
        assert verb in COMMANDS, line
        command = COMMANDS[verb]
        if words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words[0]]
        known = {flag for one in command.params for flag in one.opts} | {"--help"}
        assert {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known, line


@pytest.mark.parametrize("path", PAGES, ids=names(PAGES))
def test_python_in_it_is_python_and_its_examples_are_right(path):
    python = [text for language, text in blocks(path) if language == "python"]
    examples = "\n\n".join(text for text in python if text.startswith(">>>"))
    for text in python:
        if not text.startswith(">>>"):
            ast.parse(text)
    test = doctest.DocTestParser().get_doctest(examples, {}, path.name, str(path), 0)
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_uses_what_the_package_exports(name):
    import diascope

    python = "".join(text for language, text in blocks(ROOT / name) if language == "python")
    used = set(re.findall(r"diascope\.(\w+)", python))
    assert used
    assert used <= set(diascope.__all__)
    assert len([line for line in python.splitlines() if line.strip()]) <= 5


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_its_make_commands_exist(name):
    wanted = set(re.findall(r"\bmake ([a-z-]+)", "".join(text for _, text in blocks(ROOT / name))))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert {"demo", "install"} <= wanted <= targets


def test_the_two_readmes_have_the_same_parts():
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    for pattern in (r"^## ", r"^```", r"^- \*\*", r"^\| \S.* \|$"):
        assert len(re.findall(pattern, english, re.M)) == len(re.findall(pattern, chinese, re.M)), pattern


@pytest.mark.parametrize("path", PAGES, ids=names(PAGES))
def test_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if str(target.relative_to(ROOT)) in PICTURES_TO_COME:
            continue
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_page_is_reached_from_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\(([^)#\s]+)\)", index)}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions"}
    assert sorted(names(list(pages - linked - {ROOT / "docs" / "README.md"}))) == []


def test_decisions_are_numbered_without_gaps_and_have_four_parts():
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert [int(path.name[:4]) for path in pages] == list(range(1, len(pages) + 1))
    for path in pages:
        parts = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.M)
        assert parts == ["Context", "Choice", "Rejected", "Consequence"], path.name


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=names(TUTORIALS))
def test_the_tutorial_runs(path, tmp_path):
    script = ["set -eu"]
    for language, text in blocks(path):
        if language == "python":
            script.append(f"python -W error - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON")
        elif language == "sh":
            script.append(text)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
