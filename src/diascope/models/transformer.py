"""The door to language models of Hugging Face from a local folder; nothing is ever downloaded."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage, MissingPackage, UnreadableFile
from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.letters import in_letters
from diascope.models.words.vocabulary import decoded

CONFIG, LETTERS_A_TOKEN = "config.json", 4.0
"""What a checkpoint's folder holds beside its weights; characters of a token in English (fewer in Chinese)."""


class TextTransformer(nn.Module):
    """The last hidden states of an encoder, and their mean over the text.

    Args:
        body: A model of the package `transformers`.
        tokens: Its tokenizer.
        longest: Tokens that are read at most.
        frozen: Whether the body's weights stay as they are.
    """

    gives: Gives = "vector"

    def __init__(self, body: nn.Module, tokens: Any, longest: int, frozen: bool) -> None:
        super().__init__()
        self.body, self.tokens, self.longest = body, tokens, longest
        for parameter in body.parameters() if frozen else ():
            parameter.requires_grad_(False)
        self.channels: tuple[int] = (int(body.config.hidden_size),)  # type: ignore[union-attr, arg-type]

    def forward(self, texts: Tensor) -> Tensor:
        """(B, L) code points to (B, D)."""
        words = [decoded(one) for one in texts.cpu().numpy()]
        told = self.tokens(words, padding=True, truncation=True, max_length=self.longest, return_tensors="pt")
        ids, mask = told["input_ids"].to(texts.device), told["attention_mask"].to(texts.device)
        states: Tensor = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        there = mask[..., None].to(states.dtype)
        mean: Tensor = (states * there).sum(dim=1) / there.sum(dim=1).clamp_min(1)
        return mean


class TransformerModel:
    """Options: `folder` of the checkpoint, `tokens` that are read at most, `frozen` body (only the head learns)."""

    takes = frozenset({"text"})
    dimensions = frozenset({1})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"folder": "", "tokens": 256, "frozen": False}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        in_letters(spec, "transformer")
        folder = _folder(options)
        package = _transformers()
        try:
            # Weights in safetensors alone: a pickle runs what it likes.
            body = package.AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            tokens = package.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise UnreadableFile(
                folder, reason, "Give a checkpoint with config, tokenizer and model.safetensors"
            ) from error
        return TextTransformer(body, tokens, int(options["tokens"]), bool(options["frozen"]))

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        """Of a transformer each token passes every weight but those of the embedding: two operations, times three."""
        package, folder = _transformers(), _folder(options)
        config = package.AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            body = package.AutoModel.from_config(config)
        parameters = sum(one.numel() for one in body.parameters())
        embedded = int(config.vocab_size) * int(config.hidden_size)
        tokens = min(int(options["tokens"]), in_letters(spec, "transformer") / LETTERS_A_TOKEN)
        kept = 4 * tokens * int(config.hidden_size) * int(config.num_hidden_layers) * 16
        return Cost(parameters, 6e-9 * (parameters - embedded) * tokens, int(kept))


def _folder(options: Mapping[str, Any]) -> Path:
    """The checkpoint's folder.

    Raises:
        BadUsage: When none is named, or it is none.
    """
    named = str(options.get("folder") or "")
    folder = Path(named)
    if not named or not (folder / CONFIG).is_file():
        raise BadUsage(
            "the model transformer reads a checkpoint from a local folder, and none is there",
            given=named or "no folder",
            todo=f'Name a folder with {CONFIG}: --set model_options={{"folder": "PATH"}}',
        )
    return folder


def _transformers() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise MissingPackage("transformers", "transformers", "the model transformer") from error


MODEL: Model = TransformerModel()
