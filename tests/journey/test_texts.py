"""Reports and sequences go the whole way: a table, a second table with labels, text files, FASTA; in two languages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diascope import cli

SAID = {
    "effusion": ("There is a small left pleural effusion.", "No pleural effusion is seen on either side."),
    "nodule": ("A nodule is seen in the right upper lobe.", "No nodule or other focal lesion is identified."),
    "edema": ("Interstitial edema is present in both lungs.", "There is no evidence of pulmonary edema."),
}
REST = ("The heart is of normal size.", "Median sternotomy wires are intact.", "The bones are unremarkable.", "")
CHINESE = {
    "积液": ("左侧胸腔见少量积液影，", "两侧胸腔未见积液，"),
    "结节": ("右肺上叶见一小结节影，", "两肺未见结节及肿块影，"),
    "气胸": ("右侧少量气胸，", "未见气胸征象，"),
}
CHINESE_REST = ("心影大小正常。", "纵隔居中，气管通畅。", "两膈光滑，肋膈角锐利。", "骨质未见异常。")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    assert cli.run([*map(str, arguments), "--json", "--quiet"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out or "{}")


def write(path: Path, head: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([head, *rows])
    return path


def a_report(truth: list[int], said: dict[str, tuple[str, str]], rest: tuple[str, ...], seed: int) -> str:
    """Sentences in any order, with a few that mean nothing and a number that makes every report another."""
    rng = np.random.default_rng(seed)
    parts = [said[name][1 - one] for name, one in zip(said, truth, strict=True)]
    parts += [str(rng.choice(rest)) for _ in range(3)] + [f"{seed}."]
    return " ".join(str(parts[place]) for place in rng.permutation(len(parts)))


def truths(count: int, labels: int, seed: int) -> list[list[int]]:
    return (np.random.default_rng(seed).random((count, labels)) < 0.4).astype(int).tolist()


def a_folder(folder: Path, count: int, seed: int) -> Path:
    """Reports in one table, labels in another that calls the reports otherwise, and a column that gives them away."""
    folder.mkdir()
    told = truths(count, 3, seed)
    reports = [a_report(one, SAID, REST, number) for number, one in enumerate(told)]
    codes = [";".join(name for name, one in zip(SAID, row, strict=True) if one) or "normal" for row in told]
    write(
        folder / "reports.csv",
        ["uid", "problems", "findings", "impression"],
        [[n, codes[n], reports[n], f"Nothing else of note in study {n}."] for n in range(count)],
    )
    rows: list[list[object]] = [[f"CXR{number}", *row] for number, row in enumerate(told)]
    write(folder / "labels.csv", ["filename", *SAID], rows[::-1])
    return folder


def test_two_tables_of_a_folder_labels_and_the_rules_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = ("--workspace", tmp_path / "space")
    folder = a_folder(tmp_path / "reports", 240, 0)
    made = run(capsys, "fit", folder, *space, "--minutes", "2", "--set", "model=tfidf")
    metrics = made["evaluation"]["metrics"]
    assert metrics["auroc"]["value"] > 0.98
    notes = " ".join(made["evaluation"].get("notes", []))
    plan = json.loads(next((tmp_path / "space" / "plans").glob("*.json")).read_text())
    reading = plan["choices"]["readings"]["value"]["text"]
    assert reading["language"] == "en"
    assert reading["columns"] == ["findings", "impression"], notes

    new = a_folder(tmp_path / "new", 12, 99)
    (new / "labels.csv").unlink()
    said = run(capsys, "predict", made["release"], new / "reports.csv", "--out", tmp_path / "out", *space)
    right = [
        finding["status"] == ("present" if truth else "absent")
        for one, row in zip(said["findings"], truths(12, 3, 99), strict=True)
        for finding, truth in zip(one["findings"], row, strict=True)
    ]
    assert np.mean(right) > 0.9

    ruled = run(capsys, "fit", folder, *space, "--minutes", "2", "--set", "model=rules_labeler")
    assert ruled["evaluation"]["metrics"]["f1"]["value"] > 0.95

    hits = run(capsys, "search", folder, '"pleural effusion" -nodule', *space)
    assert hits["total"] == 0  # every report names a nodule, most of them to deny it
    hits = run(capsys, "search", folder, "sternotomy OR wires", "--most", "2", *space)
    assert 0 < hits["total"] < 240
    assert len(hits["hits"]) == 2
    start, end = hits["hits"][0]["marks"][0]
    assert hits["hits"][0]["snippet"][start:end].lower() in ("sternotomy", "wires")


def test_text_files_in_gb18030_and_a_table_of_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    folder = tmp_path / "报告"
    folder.mkdir()
    rows: list[list[object]] = []
    for number, truth in enumerate(truths(160, 3, 1)):
        text = a_report(truth, CHINESE, CHINESE_REST, number)
        (folder / f"r{number}.txt").write_bytes(text.encode("gb18030" if number % 2 else "utf-8"))
        rows.append([f"r{number}.txt", "yes" if truth[0] else "no"])
    write(folder / "labels.csv", ["file", "diagnosis"], rows)
    made = run(capsys, "fit", folder, *space, "--minutes", "2", "--set", "model=tfidf")
    assert made["evaluation"]["metrics"]["auroc"]["value"] > 0.98
    one = tmp_path / "one.txt"
    one.write_text(a_report([1, 0, 0], CHINESE, CHINESE_REST, 500), encoding="utf-8")
    said = run(capsys, "predict", made["release"], one, "--out", tmp_path / "out", *space)
    present = {finding["concept"] for finding in said["findings"][0]["findings"] if finding["status"] == "present"}
    assert present == {"yes"}
    found = run(capsys, "search", folder, "胸腔见少量积液", *space)
    assert found["total"] == sum(truth[0] for truth in truths(160, 3, 1))


def a_sequence(motif: bool, rng: np.random.Generator) -> str:
    letters = rng.choice(list("ACGT"), 60)
    if motif:
        letters[26:32] = list("AGGTAA")
    letters[rng.integers(60)] = "N"
    return "".join(letters)


def test_sequences_in_fasta_and_a_table_of_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = ("--workspace", tmp_path / "space")
    folder, rng = tmp_path / "sites", np.random.default_rng(2)
    folder.mkdir()
    rows: list[list[object]] = [[f"s{number}", "site" if number % 2 else "none"] for number in range(400)]
    records = [f">s{number} of nobody\n{a_sequence(bool(number % 2), rng).lower()}\n" for number in range(400)]
    (folder / "sites.fasta").write_text("".join(records))
    write(folder / "labels.csv", ["id", "class"], rows)
    made = run(
        capsys,
        "fit",
        folder,
        *space,
        *("--minutes", "1", "--folds", "1"),
        *("--set", "model=cnn_gru", "--set", "steps=120"),
    )
    assert made["evaluation"]["metrics"]["auroc"]["value"] > 0.95
    new = tmp_path / "new.fa"
    new.write_text(f">a\n{a_sequence(True, rng)}\n>b\n{a_sequence(False, rng)}\n")
    said = run(capsys, "predict", made["release"], new, "--out", tmp_path / "out", *space)
    present = [
        finding["concept"] for one in said["findings"] for finding in one["findings"] if finding["status"] == "present"
    ]
    assert present == ["site", "none"]
