"""Networks over time: what is not there has no weight, order counts, and the estimate sees the recurrent part."""

import pytest
import torch

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.models import InputSpec
from diascope.models.blocks.series import Attention, mean_and_most, strides_to, thinned, valid
from diascope.models.estimators.flattened import Flattened, columns_of

SPEC = InputSpec("signal", channels=3, dimensions=1, shape=(1, 1, 64), outputs=2)


def built(name, spec=SPEC, **options):
    model = registry.get("models", name)
    torch.manual_seed(0)
    return model.build(spec, {**model.options(spec), **options}).eval()


def test_where_there_are_samples():
    x = torch.zeros(1, 3, 8)
    x[:, -1, :5] = 1
    assert valid(x, "signal")[0, 0].tolist() == [1] * 5 + [0] * 3
    letters = torch.zeros(1, 4, 6)
    letters[0, 2, :4] = 0.5
    assert valid(letters, "sequence")[0, 0].tolist() == [1] * 4 + [0] * 2
    assert thinned(valid(x, "signal"), 4)[0, 0].tolist() == [1, 1, 1, 0]


def test_pooling_leaves_out_what_is_not_there_and_gives_zero_where_nothing_is():
    x, there = torch.tensor([[[1.0, 5.0, 99.0]], [[1.0, 2.0, 3.0]]]), torch.tensor([[[1.0, 1.0, 0.0]], [[0.0] * 3]])
    assert mean_and_most(x, there).tolist() == [[3.0, 5.0], [0.0, 0.0]]
    attention = Attention(4)
    steps = torch.randn(2, 5, 4)
    weights = torch.tensor([[1.0, 1, 1, 0, 0], [0.0] * 5])
    changed = steps.clone()
    changed[0, 3:] = 100
    assert torch.equal(attention(steps, weights)[0], attention(changed, weights)[0])
    assert attention(steps, weights)[1].tolist() == [0.0] * 4


@pytest.mark.parametrize("name", ["cnn1d", "gru"])
def test_an_input_that_a_case_lacks_gives_finite_numbers(name):
    with torch.no_grad():
        assert torch.isfinite(built(name)(torch.full((2, 3, 64), torch.nan))).all()


@pytest.mark.parametrize("name", ["cnn1d", "gru"])
def test_the_order_of_samples_counts(name):
    x = torch.randn(1, 3, 64)
    x[:, -1] = 1
    with torch.no_grad():
        module = built(name)
        assert not torch.allclose(module(x), module(x.flip(2)), atol=1e-4)


def test_an_lstm_by_hand_and_a_cell_that_there_is_not():
    assert built("gru", cell="lstm")(torch.ones(2, 3, 64)).shape == (2, 128)
    with pytest.raises(BadUsage, match="gru or lstm"):
        built("gru", cell="rnn")


def test_a_model_of_signals_refuses_an_image():
    with pytest.raises(BadUsage, match="signals and sequences"):
        registry.get("models", "cnn1d").options(InputSpec("image", 1, 2, (1, 8, 8)))


def test_long_signals_are_shortened_before_the_recurrent_part():
    model = registry.get("models", "gru")
    short, long = (InputSpec("signal", 2, 1, (1, 1, length)) for length in (64, 4096))
    assert model.options(short)["strides"] == []
    assert strides_to(4096, 96, 4) == [4, 4, 3]
    costs = [model.cost(spec, model.options(spec)) for spec in (short, long)]
    assert costs[1].gflop < 20 * costs[0].gflop
    wide = model.cost(short, {**model.options(short), "layers": 2})
    assert wide.gflop > 1.5 * costs[0].gflop


@pytest.mark.parametrize("shape", [(1, 20, 24), (6, 12, 16)])
def test_frames_are_seen_in_their_order_and_their_brightness_counts(shape):
    spec = InputSpec("image", channels=5, dimensions=2 if shape[0] == 1 else 3, shape=shape)
    module, x = built("frame_gru", spec), torch.randn(2, 5, *shape)
    with torch.no_grad():
        first, turned = module(x), module(x.flip(1))
        brighter = x.clone()
        brighter[:, 3] += 2
        assert not torch.allclose(first, turned, atol=1e-4)
        assert not torch.allclose(first, module(brighter), atol=1e-4)


def test_a_signal_as_columns_is_averaged_where_it_is_long_and_nan_where_nothing_is():
    spec = InputSpec("signal", 2, 1, (1, 1, 4096), outputs=2)
    assert columns_of(spec).channels == 1024
    x = torch.ones(1, 2, 4096)
    x[0, 0] = torch.arange(4096)
    x[0, :, 4000:] = 0
    found = Flattened(spec)(x)
    assert found.shape == (1, 1024)
    assert found[0, 0] == 1.5
    assert torch.isnan(found[0, -1])
    table = InputSpec("table", 5, 0)
    assert columns_of(table) is table
    assert Flattened(table)(torch.ones(2, 5)).shape == (2, 5)
