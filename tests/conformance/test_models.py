"""Every model keeps its family's promises, whichever way it is fitted; models of other packages are tested as well."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from diascope.core import registry
from diascope.core.errors import BadUsage, MissingPackage
from diascope.models import InputSpec
from diascope.testing.learning import in_order, training_rows

NAMES = registry.names("models")
SPECS = {
    "picture": InputSpec("image", channels=3, dimensions=2, shape=(1, 24, 32)),
    "film": InputSpec("image", channels=1, dimensions=2, shape=(1, 48, 24)),
    "volume": InputSpec("image", channels=1, dimensions=3, shape=(16, 8, 24)),
    "thick slices": InputSpec("image", channels=2, dimensions=3, shape=(4, 16, 24), spacing=(6.0, 0.8, 0.8)),
    "signal": InputSpec("signal", channels=3, dimensions=1, shape=(1, 1, 40), outputs=2),
    "long signal": InputSpec("signal", channels=2, dimensions=1, shape=(1, 1, 700), outputs=2),
    "sequence": InputSpec("sequence", channels=4, dimensions=1, shape=(1, 1, 30), outputs=2),
    "text": InputSpec("text", 1, 1, (1, 1, 60), outputs=2, alphabet=tuple(range(97, 123)), names=("mass", "nodule")),
    "Chinese text": InputSpec("text", 1, 1, (1, 1, 400), outputs=2, alphabet=(0x80BA, 0x5FC3), names=("积液", "结节")),
    "table": InputSpec("table", channels=5, dimensions=0, outputs=2),
}


def pairs() -> list[tuple[str, str]]:
    """Each model with the inputs that it declares; who makes samples reads noise (`diascope.testing` asks them)."""
    return [
        (name, what)
        for name, model in registry.each("models")
        for what, spec in SPECS.items()
        if spec.kind in model.takes and spec.dimensions in model.dimensions and model.gives != "samples"
    ]


def built(name: str, what: str, seed: int = 0) -> nn.Module:
    """A module that answers: fresh for gradient models, fitted to a few rows for those that are fitted at once."""
    model, spec = registry.get("models", name), SPECS[what]
    torch.manual_seed(seed)
    try:
        module = model.build(spec, model.options(spec))
    except MissingPackage as error:
        pytest.skip(str(error))
    except BadUsage as error:
        pytest.skip(f"built from a file that must be named: {error}")
    if model.fitted == "once":
        rows, first = training_rows(spec, 40)
        target = {
            "class": (first > 0).astype(np.int64),
            "time": np.exp(-first),
            "event": np.ones(40, np.int64),
        }
        model.fit(module, rows, target, model.options(spec))
    return module


def an_input(name: str, what: str, times: tuple[int, int, int] = (1, 1, 1)) -> torch.Tensor:
    """(2, C, Z, Y, X) of the model's stride times `times`; (2, D) for tables."""
    model, spec = registry.get("models", name), SPECS[what]
    generator = torch.Generator().manual_seed(1)
    if spec.dimensions == 0:
        return torch.randn((2, spec.channels), generator=generator)
    if spec.dimensions == 1:
        return in_order(spec, 9 * times[2])
    stride = model.stride(model.options(spec))
    size = [s * t if spec.dimensions == 3 or axis else 1 for axis, (s, t) in enumerate(zip(stride, times, strict=True))]
    return torch.randn((2, spec.channels, *size), generator=generator)


def as_list(answer: torch.Tensor | list[torch.Tensor]) -> list[torch.Tensor]:
    return answer if isinstance(answer, list) else [answer]


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name):
    model = registry.get("models", name)
    assert model.takes
    assert model.dimensions <= {0, 1, 2, 3}
    assert model.gives in {"vector", "pyramid", "dense", "image", "answer", "samples", "tokens"}
    assert model.fitted in {"gradient", "once"}
    if model.fitted == "once":
        assert model.target_kinds


@pytest.mark.parametrize("times", [(1, 1, 1), (3, 2, 4)])
@pytest.mark.parametrize(("name", "what"), pairs())
def test_any_size_that_its_stride_divides_gives_what_it_declares(name, what, times):
    module, x = built(name, what).eval(), an_input(name, what, times)
    with torch.no_grad():
        answer = module(x)
    model = registry.get("models", name)
    assert module.gives == model.gives
    assert all(torch.isfinite(part).all() for part in as_list(answer))
    if model.gives == "vector":
        assert answer.shape == (2, module.channels[0])
    if model.gives == "answer":
        assert len(answer) == 2
    if model.gives == "dense":
        assert isinstance(answer, list)
        assert [tuple(part.shape) for part in answer] == [(2, module.channels[0], *x.shape[2:])]
    if model.gives == "pyramid":
        assert [part.shape[1] for part in answer] == list(module.channels)


@pytest.mark.parametrize(("name", "what"), [p for p in pairs() if registry.get("models", p[0]).gives == "dense"])
def test_in_training_it_gives_a_map_for_each_entry_of_its_channels(name, what):
    module, x = built(name, what).train(), an_input(name, what, (2, 2, 2))
    maps = module(x)
    assert [part.shape[1] for part in maps] == list(module.channels)
    assert maps[0].shape[2:] == x.shape[2:]
    sizes = [part[0, 0].numel() for part in maps]
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize(("name", "what"), pairs())
def test_the_same_input_gets_the_same_answer_twice_and_alone(name, what):
    # Not the smallest size: of two voxels, an instance normalisation makes -1 and 1 whatever their difference.
    module, x = built(name, what).eval(), an_input(name, what, (3, 3, 4))
    with torch.no_grad():
        first, second, alone = (as_list(module(part)) for part in (x, x, x[:1]))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(torch.allclose(a[:1], b, atol=1e-4, rtol=1e-4) for a, b in zip(first, alone, strict=True))


@pytest.mark.parametrize(("name", "what"), pairs())
def test_the_seed_decides_the_weights(name, what):
    states = [built(name, what, seed).state_dict() for seed in (0, 0)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize(("name", "what"), pairs())
def test_saved_and_reloaded_it_is_equal(name, what, tmp_path):
    module, x = built(name, what).eval(), an_input(name, what)
    save_file({key: value.contiguous() for key, value in module.state_dict().items()}, tmp_path / "weights.safetensors")
    model, spec = registry.get("models", name), SPECS[what]
    torch.manual_seed(99)
    other = model.build(spec, model.options(spec))
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    with torch.no_grad():
        answers = [as_list(each(x)) for each in (module, other.eval())]
    assert all(torch.equal(a, b) for a, b in zip(*answers, strict=True))


@pytest.mark.parametrize(("name", "what"), [p for p in pairs() if registry.get("models", p[0]).fitted == "gradient"])
def test_every_parameter_gets_a_finite_gradient(name, what):
    module, x = built(name, what).train(), an_input(name, what, (2, 2, 2))
    sum(part.float().square().mean() for part in as_list(module(x))).backward()
    assert [key for key, value in module.named_parameters() if value.grad is None] == []
    assert all(torch.isfinite(value.grad).all() for value in module.parameters())


@pytest.mark.parametrize(("name", "what"), pairs())
def test_its_estimate_counts_its_parameters_and_leaves_the_random_numbers_alone(name, what):
    model, spec = registry.get("models", name), SPECS[what]
    module = built(name, what)
    before = torch.get_rng_state()
    cost = model.cost(spec, model.options(spec))
    assert torch.equal(before, torch.get_rng_state())
    assert cost.gflop >= 0
    assert cost.activation_bytes >= 0
    if model.fitted == "gradient":
        assert cost.parameters == sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize(("name", "what"), pairs())
def test_its_options_are_json(name, what):
    model, spec = registry.get("models", name), SPECS[what]
    options = model.options(spec)
    plain = (str, int, float, bool, type(None))

    def is_json(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and is_json(entry) for key, entry in value.items())
        return all(map(is_json, value)) if isinstance(value, list) else isinstance(value, plain)

    assert is_json(options)
