"""Words that led to an answer, exactly or by covering them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from diascope.core import registry
from diascope.core.figure import Passages
from diascope.explainers.maps import InLetters
from diascope.explainers.words import EXPLAINER, MOST, pieces
from diascope.models import InputSpec
from diascope.reports.evidence_words import LEVELS, evidence_passage
from diascope.reports.html import render_figures


def codes(*texts: str) -> torch.Tensor:
    found = torch.zeros((len(texts), max(map(len, texts))), dtype=torch.int32)
    for row, text in zip(found, texts, strict=True):
        row[: len(text)] = torch.tensor([ord(one) for one in text], dtype=torch.int32)
    return found


class Counts(nn.Module):
    """How often `積`, `x` occur, minus how often `no` does."""

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        said = []
        for row in inputs["report"].tolist():
            text = "".join(chr(code) for code in row if code)
            said.append([float(text.count("x") + text.count("積")), float(-text.count("no"))])
        return torch.tensor(said)


def test_pieces_are_words_and_single_chinese_characters() -> None:
    text = "No CT, 双肺12mm."
    assert [text[start:end] for start, end in pieces(text)] == ["No", "CT", "双", "肺", "12mm"]
    assert pieces(" .,") == []


def test_long_texts_are_covered_in_larger_pieces() -> None:
    text = "word " * 1000
    found = pieces(text)
    assert len(found) <= MOST
    assert found[0] == (0, 14)
    assert found[-1][1] == len(text.rstrip())


def test_covering_finds_what_speaks_for_and_against() -> None:
    network = InLetters(Counts(), "report")
    texts = codes("a box, no xx", "胸腔積液")
    for output, word, sign in ((0, "xx", 1.0), (1, "no", -1.0)):
        place = "a box, no xx".index(word)
        row = EXPLAINER.explain(network, texts, output)[0]
        assert row[place] == sign
        assert row[0] == 0
    assert np.flatnonzero(EXPLAINER.explain(network, texts, 0)[1]).tolist() == [2]


def test_a_text_without_words_has_an_empty_map() -> None:
    assert not EXPLAINER.explain(InLetters(Counts(), "report"), codes("...", "x"), 0)[0].any()


def test_a_sum_over_words_is_told_exactly() -> None:
    model = registry.get("models", "tfidf")
    texts = ["clear lungs", "left effusion", "small effusion", "clear heart", "no mass"] * 4
    rows = codes(*texts)
    spec = InputSpec("text", 1, 1, (1, 1, rows.shape[1]), outputs=2, alphabet=(97,))
    options = {**model.options(spec), "strengths": [0.1]}
    module = model.build(spec, options)
    model.fit(module, rows.numpy(), {"class": np.array([int("effusion" in text) for text in texts])}, options)

    class Network(nn.Module):
        estimator = module

        def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
            raise AssertionError("the answer is not asked")

    row = EXPLAINER.explain(InLetters(Network(), "text"), codes("small effusion, clear lungs"), 1)[0]
    assert row["small effusion".index("effusion")] == 1
    assert row["small effusion, ".__len__()] < 0


@pytest.mark.parametrize("weight", [1.0, 0.6, 0.3, 0.0, -0.4, -1.0])
def test_marks_say_how_strongly(weight: float) -> None:
    passage = evidence_passage("abcd", np.array([0, weight, weight, 0], np.float32), "evidence for x", "case")
    if weight == 0:
        assert passage.marks == ()
        return
    (mark,) = passage.marks
    assert (mark.start, mark.stop, mark.sort) == (1, 3, "for" if weight > 0 else "against")
    assert mark.strength == int(np.ceil(abs(weight) * LEVELS))


def test_a_page_shades_the_words_and_keeps_the_text() -> None:
    weights = np.array([1, 1, 0, -0.3, -0.3], np.float32)
    passage = evidence_passage("<b> x", weights, "evidence for effusion", "case-1")
    page = render_figures(
        "t", (Passages(title="What the model looked at (words)", passages=(passage,), legend=(("for", 0),)),), "zh-CN"
    )
    assert '<span class="for s0 w4"' in page
    assert '<span class="against s1 w2"' in page
    assert "&lt;b" in page
    assert "支持 effusion 的依据" in page
