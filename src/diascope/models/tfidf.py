"""Words of a text weighed by how rare they are (TF-IDF), and a linear model with a cross-validated ridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage, DiascopeError
from diascope.core.presence import LABELS
from diascope.models import Cost, FittedAtOnce, Gives, InputSpec
from diascope.models.blocks.letters import in_letters, is_chinese
from diascope.models.estimators.answers import MEANINGS, Answer, Part
from diascope.models.estimators.folds import deal
from diascope.models.linear import solved
from diascope.models.words.vocabulary import Analyser, Vocabulary, decoded

STRENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01)
MOST_TERMS = 50_000
LONGEST: Mapping[Analyser, int] = {"words": 2, "characters": 3}
TUNED = 6
"""Labels that the strength of the ridge is chosen by, the most balanced ones: it is one for all of them."""
OF_TERMS = ("letters", "lengths", "idf")


class TfIdf(nn.Module):
    """Scores that are linear in the weights of terms, and the answer that they make.

    How many terms there are is known only after fitting, so that buffers take the length of what is loaded into them.

    Args:
        spec: Outputs.
        options: `analyser`, and what the outputs mean.

    Attributes:
        letters: Code points of all terms, one after the other.
        lengths: (T,) code points of each term.
        idf: (T,).
        weights: (R, T).
        intercepts: (R,).
    """

    gives: Gives = "answer"
    letters: Tensor
    lengths: Tensor
    idf: Tensor
    weights: Tensor
    intercepts: Tensor

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        in_letters(spec, "tfidf")
        self.channels = (spec.outputs,)
        self.answer = Answer.of(spec, options)
        self.analyser: Analyser = options["analyser"]
        if self.analyser not in LONGEST:
            raise BadUsage("the option analyser is words or characters", given=self.analyser)
        self.register_buffer("letters", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("lengths", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("idf", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("weights", torch.zeros((self.answer.scores, 0), dtype=torch.float64))
        self.register_buffer("intercepts", torch.zeros(self.answer.scores, dtype=torch.float64))
        self._vocabulary: Vocabulary | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms, out of the buffers."""
        if self._vocabulary is None:
            ends = np.cumsum(self.lengths.cpu().numpy())
            codes = self.letters.cpu().numpy()
            words = [decoded(part) for part in np.split(codes, ends[:-1])] if len(ends) else []
            places = {word: place for place, word in enumerate(words)}
            self._vocabulary = Vocabulary(places, self.idf.cpu().numpy(), self.analyser, LONGEST[self.analyser])
        return self._vocabulary

    def learn(self, vocabulary: Vocabulary, weights: npt.NDArray[np.float64], intercepts: npt.NDArray[Any]) -> None:
        """Fill the buffers."""
        terms = list(vocabulary.places)
        self.letters = torch.tensor([ord(one) for term in terms for one in term], dtype=torch.int32)
        self.lengths = torch.tensor([len(term) for term in terms], dtype=torch.int32)
        self.idf, self.weights = torch.from_numpy(vocabulary.idf), torch.from_numpy(weights)
        self.intercepts = torch.from_numpy(intercepts)
        self._vocabulary = None

    def forward(self, texts: Tensor) -> Tensor:
        """(B, L) code points to (B, K) log-probabilities or log odds, or to (B, 1) values."""
        matrix = self.vocabulary.matrix([decoded(one) for one in texts.cpu().numpy()])
        scores = torch.from_numpy(matrix @ self.weights.cpu().numpy().T)
        return self.answer.finish(scores.to(self.intercepts.device) + self.intercepts)

    def shares(self, text: str, output: int) -> npt.NDArray[np.float64]:
        """(len(text),) what each character adds to the score of an output, against the mean of other classes."""
        weights = self.weights.cpu().numpy()
        others = weights.mean(axis=0) if self.answer.kind == "category" else 0.0
        return self.vocabulary.shares(text, weights[min(output, len(weights) - 1)] - others)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        errors: list[str] = rest[-1]
        given = {name: state_dict.get(prefix + name) for name in (*OF_TERMS, "weights")}
        for name, tensor in given.items():
            held = getattr(self, name)
            if isinstance(tensor, Tensor) and tensor.dtype == held.dtype and tensor.ndim == held.ndim:
                setattr(self, name, held.new_empty(tensor.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        self._vocabulary = None
        terms = len(self.lengths)
        if not errors and (
            int(self.lengths.sum()) != len(self.letters)
            or len(self.idf) != terms
            or self.weights.shape != (self.answer.scores, terms)
        ):
            errors.append(f"{prefix}: letters, lengths, idf and weights are not of the same terms")


class TfIdfModel:
    """Words and pairs of words; of Chinese, which has no blanks between words, runs of one to three characters.

    Options: `analyser` (`words`, `characters`), `most_terms`, `strengths` of the ridge that are tried, `folds` of the
    inner cross-validation that chooses one, `seed`, and what the outputs mean (see `linear`).
    """

    takes = frozenset({"text"})
    dimensions = frozenset({1})
    gives: Gives = "answer"
    fitted: Literal["gradient", "once"] = "once"
    target_kinds = frozenset({"category", "number", "ordered", LABELS})

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {
            "analyser": "characters" if is_chinese(spec) else "words",
            "most_terms": MOST_TERMS,
            "strengths": list(STRENGTHS),
            "folds": 3,
            "seed": 0,
            **MEANINGS,
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return TfIdf(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        scores, letters = Answer.of(spec, options).scores, in_letters(spec, "tfidf")
        return Cost(scores * (int(options["most_terms"]) + 1), 1e-9 * letters * scores, 100 * letters)

    def fit(
        self,
        module: nn.Module,
        inputs: npt.NDArray[Any],
        target: Mapping[str, npt.NDArray[Any]],
        options: Mapping[str, Any],
    ) -> None:
        """Fill the buffers from (N, L) code points and `class` (N,), `value` (N,) or `labels` (N, K).

        Raises:
            BadUsage: When a strength is not positive.
            DataRefused: When the cases are of one class, or all alike in each label.
            DiascopeError: When a fit does not settle.
        """
        if not isinstance(module, TfIdf):
            raise DiascopeError("this is not the module that tfidf builds", given=type(module).__name__)
        strengths = sorted(map(float, options["strengths"]), reverse=True)
        if not strengths or strengths[-1] <= 0:
            raise BadUsage("the option strengths holds positive numbers", given=options["strengths"])
        answer, truth = module.answer, module.answer.truth(target)
        texts = [decoded(one) for one in inputs]
        most = int(options["most_terms"])
        vocabulary = Vocabulary.learnt(texts, module.analyser, LONGEST[module.analyser], most)
        matrix = vocabulary.matrix(texts)
        weights, intercepts = np.zeros((answer.scores, matrix.shape[1])), answer.untold(truth)
        parts = list(answer.parts(truth))
        strength = _strength(parts, matrix, strengths, target.get("patient"), options)
        for part in parts:
            own_weights, own_intercepts = solved(part.answer, matrix[part.rows], part.truth, strength)
            for own, place in zip(part.own, part.places, strict=True):
                weights[place], intercepts[place] = own_weights[own], own_intercepts[own]
        module.learn(vocabulary, weights, intercepts)


def _strength(
    parts: Sequence[Part],
    matrix: Any,
    strengths: Sequence[float],
    patients: npt.NDArray[np.int64] | None,
    options: Mapping[str, Any],
) -> float:
    """The strength of the ridge with the least loss out of fold, over the parts with the most balanced truth."""
    losses = np.zeros(len(strengths))
    for part in sorted(parts, key=_balance)[-TUNED:]:
        own = None if patients is None else patients[part.rows]
        columns = matrix[part.rows]
        for train, test in deal(part.answer, part.truth, int(options["folds"]), int(options["seed"]), own):
            for place, strength in enumerate(strengths):
                weights, intercepts = solved(part.answer, columns[train], part.truth[train], strength)
                losses[place] += len(test) * part.answer.loss(columns[test] @ weights.T + intercepts, part.truth[test])
    return strengths[int(losses.argmin())] if losses.any() else strengths[len(strengths) // 2]


def _balance(part: Part) -> int:
    """Cases of the rarest class."""
    return int(np.unique(part.truth, return_counts=True)[1].min())


MODEL: FittedAtOnce = TfIdfModel()
