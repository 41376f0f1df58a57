"""The tagger of characters: padding says nothing, unseen characters are known how to be read."""

import pytest
import torch

from diascope.core.errors import BadUsage
from diascope.models import InputSpec
from diascope.models.char_tagger import MODEL

SPEC = InputSpec("text", 1, 1, (1, 1, 24), alphabet=tuple(range(0x4E00, 0x4E30)))
TEXT = torch.arange(0x4E00, 0x4E10, dtype=torch.int32)[None]


def a_tagger(**changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return MODEL.build(SPEC, {**MODEL.options(SPEC), "width": 16, "pairs": 64, **changes})


@pytest.mark.parametrize("recurrent", [0, 8])
def test_it_says_something_of_every_character(recurrent: int) -> None:
    tagger = a_tagger(recurrent=recurrent)
    said = tagger(TEXT)
    assert said.shape == (1, tagger.channels[0], 16)


def test_what_is_padded_behind_the_text_changes_nothing() -> None:
    tagger = a_tagger().eval()
    padded = torch.nn.functional.pad(TEXT, (0, 8))
    assert torch.allclose(tagger(padded)[:, :, :16], tagger(TEXT), atol=1e-6)
    assert not tagger(padded)[:, :, 16:].any()


def test_the_order_of_two_characters_is_seen() -> None:
    tagger = a_tagger().eval()
    other = TEXT.clone()
    other[0, 7], other[0, 8] = TEXT[0, 8], TEXT[0, 7]
    assert not torch.allclose(tagger(other)[..., 7], tagger(TEXT)[..., 8], atol=1e-3)


def test_training_makes_some_characters_unseen_and_reading_none() -> None:
    tagger = a_tagger(unseen=0.5, dropout=0.0)
    unseen = tagger.letters(torch.tensor([[0x3041]], dtype=torch.int32))
    assert torch.equal(unseen[0, :, 0], tagger.letters.embedding.weight[1])
    torch.manual_seed(1)
    first, second = tagger(TEXT), tagger(TEXT)
    assert not torch.equal(first, second)
    assert torch.equal(tagger.eval()(TEXT), tagger(TEXT))


def test_a_recurrent_network_costs_more() -> None:
    options = MODEL.options(SPEC)
    assert MODEL.cost(SPEC, {**options, "recurrent": 64}).gflop > MODEL.cost(SPEC, options).gflop


def test_other_inputs_are_refused() -> None:
    with pytest.raises(BadUsage, match="encodes texts"):
        MODEL.build(InputSpec("signal", 2, 1, (1, 1, 24)), MODEL.options(SPEC))
