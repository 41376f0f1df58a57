"""TF-IDF and its linear models against scikit-learn's own pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load, save
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline

from diascope.core import registry
from diascope.core.errors import BadUsage, DataRefused
from diascope.models import InputSpec
from diascope.models.tfidf import LONGEST
from diascope.models.words.vocabulary import Vocabulary, decoded

WORDS = (
    "No",
    "effusion",
    "or",
    "nodule",
    "is",
    "seen",
    "lung;",
    "XXXX-year-old,",
    "12/7,",
    "İstanbul's",
    "(heart)",
    "café",
)
SOLVERS: dict[str, dict[str, Any]] = {
    "words": {"solver": "newton-cholesky", "tol": 1e-8},
    "characters": {"tol": 1e-6, "max_iter": 10_000},
}
"""The first where there are few terms, as `models/linear.py` chooses them."""
HAN = "左右肺上下叶见片状密度增高影，未结节及胸腔积液。"


def reports(count: int, chinese: bool = False, seed: int = 0) -> list[str]:
    """Texts with punctuation, digits, several blanks, accents and a letter that is longer in lower case."""
    rng = np.random.default_rng(seed)
    if chinese:
        return ["".join(rng.choice(list(HAN), rng.integers(8, 30))) + "  CT\n\n示" for _ in range(count)]
    return ["  ".join(rng.choice(WORDS, rng.integers(4, 25))) for _ in range(count)]


def codes(texts: list[str]) -> npt.NDArray[np.int32]:
    found = np.zeros((len(texts), max(map(len, texts))), np.int32)
    for row, text in zip(found, texts, strict=True):
        row[: len(text)] = [ord(one) for one in text]
    return found


def pipeline(analyser: str, estimator: Any) -> Pipeline:
    longest = {"words": 2, "characters": 3}[analyser]
    words = TfidfVectorizer(
        analyzer="word" if analyser == "words" else "char",
        ngram_range=(1, longest),
        sublinear_tf=True,
        min_df=2,
        # "İ" is two characters in lower case, and would move every place after it.
        preprocessor=lambda text: text.replace("İ", "\0").lower().replace("\0", "İ"),
    )
    return make_pipeline(words, estimator)


@pytest.mark.parametrize("analyser", ["words", "characters"])
def test_terms_and_weights_are_those_of_the_vectoriser(analyser: Any) -> None:
    texts, new = reports(60, analyser == "characters"), reports(20, analyser == "characters", 1)
    theirs = pipeline(analyser, "passthrough").fit(texts)
    ours = Vocabulary.learnt(texts, analyser, LONGEST[analyser], 10_000)
    assert ours.places == theirs[0].vocabulary_
    np.testing.assert_allclose(ours.matrix(new).toarray(), theirs.transform(new).toarray(), atol=1e-12)


def fitted(analyser: str, target: dict[str, npt.NDArray[Any]], outputs: int, **options: Any) -> tuple[Any, list[str]]:
    model = registry.get("models", "tfidf")
    texts = reports(80, analyser == "characters")
    rows = codes(texts)
    spec = InputSpec("text", 1, 1, (1, 1, rows.shape[1]), outputs=outputs, alphabet=(97,))
    chosen = {**model.options(spec), "analyser": analyser, **options}
    module = model.build(spec, chosen)
    model.fit(module, rows, target, chosen)
    again = model.build(spec, chosen)
    again.load_state_dict(load(save(module.state_dict())))
    return again.eval(), texts


def truth_of(texts: list[str], word: str) -> npt.NDArray[np.int64]:
    return np.array([int(word in text) for text in texts])


@pytest.mark.parametrize(("analyser", "word"), [("words", "nodule"), ("characters", "积液")])
def test_probabilities_of_two_classes_agree(analyser: str, word: str) -> None:
    texts, new = reports(80, analyser == "characters"), reports(30, analyser == "characters", 1)
    truth = truth_of(texts, word)
    module, _ = fitted(analyser, {"class": truth}, 2, strengths=[0.1])
    theirs = pipeline(analyser, LogisticRegression(C=10, **SOLVERS[analyser])).fit(texts, truth)
    ours = module(torch.from_numpy(codes(new))).exp().numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(new), atol=1e-6)


def test_probabilities_of_three_classes_agree() -> None:
    texts, new = reports(80), reports(30, seed=1)
    truth = np.arange(80) % 3
    module, _ = fitted("words", {"class": truth}, 3, strengths=[1.0])
    theirs = pipeline("words", LogisticRegression(C=1, tol=1e-6, max_iter=10_000)).fit(texts, truth)
    ours = module(torch.from_numpy(codes(new))).exp().numpy()
    np.testing.assert_allclose(ours, theirs.predict_proba(new), atol=1e-6)


def test_numbers_agree() -> None:
    texts, new = reports(80), reports(30, seed=1)
    truth = np.array([float(len(text)) for text in texts])
    module, _ = fitted("words", {"value": truth}, 1, strengths=[0.3])
    theirs = pipeline("words", Ridge(alpha=0.3)).fit(texts, truth)
    np.testing.assert_allclose(module(torch.from_numpy(codes(new)))[:, 0].numpy(), theirs.predict(new), rtol=1e-4)


def test_each_label_is_a_model_of_its_own_on_the_cases_that_are_known() -> None:
    texts, new = reports(80), reports(30, seed=1)
    labels = np.stack([truth_of(texts, "nodule"), truth_of(texts, "effusion")], axis=1).astype(float)
    labels[:20, 1] = np.nan
    module, _ = fitted("words", {"labels": labels}, 2, strengths=[0.1], labels=True)
    # The vectoriser has seen all texts, the second model those alone whose label is known.
    words = pipeline("words", "passthrough").fit(texts)
    ours = module(torch.from_numpy(codes(new))).numpy()
    for label, rows in enumerate((slice(0, 80), slice(20, 80))):
        theirs = LogisticRegression(C=10, **SOLVERS["words"])
        theirs.fit(words.transform(texts)[rows], labels[rows, label])
        np.testing.assert_allclose(ours[:, label], theirs.decision_function(words.transform(new)), atol=1e-5)


@pytest.mark.parametrize("analyser", ["words", "characters"])
def test_what_each_character_adds_makes_the_score(analyser: str) -> None:
    chinese = analyser == "characters"
    truth = truth_of(reports(80, chinese), "积液" if chinese else "nodule")
    module, texts = fitted(analyser, {"class": truth}, 2, strengths=[0.1])
    for text in (*texts[:5], "", "zzz"):
        parts = module.shares(text, 1)
        rows = torch.from_numpy(codes([text, "one more"])[:1])
        score = float((module(rows)[0, 1] - module(rows)[0, 0]).exp().log())
        assert len(parts) == len(text)
        np.testing.assert_allclose(
            2 * parts.sum() + float(module.intercepts[1] - module.intercepts[0]), score, atol=1e-5
        )


def test_a_text_without_a_known_term_gets_the_answer_of_no_words() -> None:
    module, _ = fitted("words", {"class": np.arange(80) % 2}, 2)
    empty, unknown = (module(torch.from_numpy(codes([text]))) for text in (" ", "qqq www"))
    assert torch.equal(empty, unknown)


def test_another_releases_arrays_are_refused() -> None:
    module, _ = fitted("words", {"class": np.arange(80) % 2}, 2)
    state = module.state_dict()
    state["idf"] = state["idf"][:-1]
    with pytest.raises(RuntimeError, match="not of the same terms"):
        module.load_state_dict(state)


def test_bad_options_and_one_class_are_refused() -> None:
    with pytest.raises(BadUsage, match="positive"):
        fitted("words", {"class": np.arange(80) % 2}, 2, strengths=[0])
    with pytest.raises(BadUsage, match="analyser"):
        fitted("letters", {"class": np.arange(80) % 2}, 2)
    with pytest.raises(DataRefused, match="two classes"):
        fitted("words", {"class": np.zeros(80, int)}, 2)


def test_code_points_are_a_text_again() -> None:
    assert decoded(np.array([0x80BA, 0x20, 0x1F4A9, 0, 0])) == "肺 💩"
