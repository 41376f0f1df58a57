"""Decision trees as arrays: grown by scikit-learn's histogram boosting, stored without pickle, followed by torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Ints = npt.NDArray[np.int64]
NODES = ("column", "threshold", "split", "missing_left", "left", "right", "value")
TREES = ("root", "score")
AT_ONCE = 1024
"""Rows that are followed together: it bounds the memory of many trees."""


class Trees(nn.Module):
    """Scores of rows: for each score a baseline, and the sum of what the trees say.

    All nodes of all trees lie one after the other. At a node a row goes left when its number is at most the threshold,
    when its category is one of those that go left, or, where the value is missing, when what is missing goes left. A
    leaf leads to itself. How many nodes and trees there are is known only after fitting, so that buffers take the
    length of what is loaded into them.

    Args:
        columns: D.
        width: The most values of any category.
        scores: R.
        depth: The most steps from a root to a leaf.

    Attributes:
        column, threshold, left, right, value: Of each node; left and right are places of nodes.
        missing_left: Of each node, whether a missing value goes left.
        split: Of each node, its row in `goes_left`; 0 where numbers are compared.
        goes_left: (splits, width), whether a category goes left; the first row is not used.
        root, score: Of each tree, the place of its first node, and which score it adds to.
        baseline: (R,).
    """

    column: Tensor
    threshold: Tensor
    split: Tensor
    missing_left: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    root: Tensor
    score: Tensor
    goes_left: Tensor
    baseline: Tensor

    def __init__(self, columns: int, width: int, scores: int, depth: int) -> None:
        super().__init__()
        self.columns, self.depth, self.deepest = columns, depth, depth
        kinds = {"threshold": torch.float64, "value": torch.float64, "missing_left": torch.bool}
        for name in (*NODES, *TREES):
            self.register_buffer(name, torch.zeros(0, dtype=kinds.get(name, torch.int64)))
        self.register_buffer("goes_left", torch.zeros((1, max(1, width)), dtype=torch.bool))
        self.register_buffer("baseline", torch.zeros(scores, dtype=torch.float64))

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) float64, nan where a value is missing, to (B, R)."""
        return torch.cat([self._followed(some) for some in torch.split(rows, AT_ONCE)])

    def _followed(self, rows: Tensor) -> Tensor:
        codes = rows.nan_to_num().clamp(0, self.goes_left.shape[1] - 1).long()
        node = self.root.expand(len(rows), -1)
        for _ in range(self.deepest):
            column, split = self.column[node], self.split[node]
            number = rows.gather(1, column)
            left = torch.where(
                split > 0, self.goes_left[split, codes.gather(1, column)], number <= self.threshold[node]
            )
            left = torch.where(torch.isnan(number), self.missing_left[node], left)
            node = torch.where(left, self.left[node], self.right[node])
        return self.baseline.repeat(len(rows), 1).index_add_(1, self.score, self.value[node])

    def settle(self) -> None:
        """Count the steps from the roots to the leaves once: most trees are shallower than they may be."""
        reached, steps = set(self.root.tolist()), 0
        left, right = self.left.tolist(), self.right.tolist()
        while steps < self.depth:
            following = {below for node in reached for below in (left[node], right[node])}
            if following <= reached:
                break
            reached, steps = following, steps + 1
        self.deepest = steps

    def fill(self, name: str, values: npt.NDArray[Any]) -> None:
        """Give a buffer these values, and their length."""
        held = getattr(self, name)
        setattr(self, name, torch.from_numpy(np.ascontiguousarray(values)).to(held.dtype))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        errors: list[str] = rest[-1]
        found = {name: state_dict.get(prefix + name) for name in (*NODES, *TREES, "goes_left")}
        given = {name: tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}
        for name, tensor in given.items():
            held = getattr(self, name)
            if tensor.shape[1:] == held.shape[1:] and tensor.dtype == held.dtype:
                setattr(self, name, held.new_empty(tensor.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        if len(given) == len(found) and not errors:
            errors += self._contradictions(prefix)
            if not errors:
                self.settle()

    def _contradictions(self, prefix: str) -> list[str]:
        """Lengths that differ, and places that do not exist: another file's, or damaged."""
        wrong = []
        for names in (NODES, TREES):
            if len({len(getattr(self, name)) for name in names}) > 1:
                wrong.append(f"{prefix}: {', '.join(names)} differ in length")
        bounds = dict.fromkeys(("left", "right", "root"), len(self.value))
        bounds |= {"column": self.columns, "split": len(self.goes_left), "score": len(self.baseline)}
        for name, bound in bounds.items():
            places = getattr(self, name)
            if len(places) and not 0 <= int(places.min()) <= int(places.max()) < bound:
                wrong.append(f"{prefix}{name} leads to places that do not exist")
        return wrong


class TreeArrays:
    """Collects the trees of fitted estimators, one estimator for each score or for several.

    Args:
        trees: To be filled.

    Attributes:
        columns: Which column of the table each column of the next estimators was: categories first, as scikit-learn
            sorts them.
        known: For each of the categories, the sorted values in the training rows: their places are what it calls them.
    """

    def __init__(self, trees: Trees) -> None:
        self.trees = trees
        self.columns: Ints = np.zeros(0, dtype=np.int64)
        self.known: Sequence[Ints] = ()
        self.parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in (*NODES, *TREES)}
        self.goes_left = [trees.goes_left[:1].numpy()]
        self.baseline = np.zeros(len(trees.baseline))
        self.nodes = 0

    def add(self, estimator: Any, scores: Sequence[int]) -> None:
        """The trees of a fitted `HistGradientBoosting...`, and which score each of an iteration's trees adds to."""
        self.baseline[list(scores)] = estimator._baseline_prediction.ravel()
        for iteration in estimator._predictors:
            for score, tree in zip(scores, iteration, strict=True):
                self._add_tree(tree.nodes, tree.raw_left_cat_bitsets, score)

    def close(self) -> None:
        """Fill the module's buffers."""
        for name, parts in self.parts.items():
            self.trees.fill(name, np.concatenate(parts) if parts else np.zeros(0))
        self.trees.fill("goes_left", np.concatenate(self.goes_left))
        self.trees.fill("baseline", self.baseline)
        self.trees.settle()

    def _add_tree(self, nodes: npt.NDArray[Any], bitsets: npt.NDArray[np.uint32], score: int) -> None:
        leaf, own = nodes["is_leaf"].astype(bool), np.arange(len(nodes)) + self.nodes
        category = nodes["is_categorical"].astype(bool) & ~leaf
        split = np.zeros(len(nodes), dtype=np.int64)
        split[category] = sum(map(len, self.goes_left)) + np.arange(category.sum())
        self.goes_left.append(self._directions(nodes[category], bitsets))
        # A split by what is missing has the threshold infinity, which no weights file may hold.
        threshold = np.nan_to_num(nodes["num_threshold"], posinf=np.finfo(np.float64).max)
        column = np.zeros(len(nodes), dtype=np.int64)
        column[~leaf] = self.columns[nodes["feature_idx"][~leaf]]
        found = {
            "column": column,
            "threshold": np.where(leaf | category, 0.0, threshold),
            "split": split,
            "missing_left": nodes["missing_go_to_left"].astype(bool),
            "left": np.where(leaf, own, nodes["left"] + self.nodes),
            "right": np.where(leaf, own, nodes["right"] + self.nodes),
            "value": np.where(leaf, nodes["value"], 0.0),
            "root": own[:1],
            "score": np.array([score]),
        }
        for name, values in found.items():
            self.parts[name].append(values)
        self.nodes += len(nodes)

    def _directions(self, nodes: npt.NDArray[Any], bitsets: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
        """(S, width) whether a value goes left; one that no training row had goes where missing ones go."""
        width = self.trees.goes_left.shape[1]
        directions = np.repeat(nodes["missing_go_to_left"].astype(bool)[:, None], width, axis=1)
        for row, node in zip(directions, nodes, strict=True):
            known = self.known[node["feature_idx"]]
            bits = np.unpackbits(bitsets[node["bitset_idx"]].astype("<u4").view(np.uint8), bitorder="little")
            row[known] = bits[: len(known)]
        return directions
