"""The shape of U-Nets: where they halve, what they return, what they cost."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.engine.devices import lay_out
from diascope.models import InputSpec
from diascope.models.blocks.topology import narrowed

UNETS = ("unet", "residual_unet")
HIPPOCAMPUS = InputSpec("image", 1, 3, (40, 56, 40))
PICTURE = InputSpec("image", 3, 2, (1, 64, 48))
THICK = InputSpec("image", 1, 3, (8, 64, 64), spacing=(4.0, 1.0, 1.0))
SMALL = InputSpec("image", 1, 3, (16, 16, 24))


def model(name: str = "unet"):
    return registry.get("models", name)


def network(name: str, spec: InputSpec, base: int = 8) -> torch.nn.Module:
    torch.manual_seed(0)
    return model(name).build(spec, narrowed(model(name).options(spec), base, spec.dimensions))


@pytest.mark.parametrize("name", UNETS)
def test_the_hippocampus_patch_is_shaped_as_nnunet_does(name):
    options = model(name).options(HIPPOCAMPUS)
    assert options["features"] == [32, 64, 128, 256]
    assert options["strides"] == [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]]
    assert options["kernels"] == [[3, 3, 3]] * 4
    assert options["levels"] == 2
    assert model(name).stride(options) == (8, 8, 8)


def test_thick_slices_are_halved_late_and_have_flat_kernels_first():
    options = model().options(THICK)
    assert options["strides"] == [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2], [1, 2, 2]]
    assert options["kernels"] == [[1, 3, 3], [1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]


def test_pictures_keep_their_one_slice():
    options = model().options(PICTURE)
    assert model().stride(options)[0] == 1
    assert all(kernel[0] == 1 for kernel in options["kernels"])


def test_a_patch_too_small_to_halve_is_one_stage():
    tiny = InputSpec("image", 1, 3, (4, 4, 4))
    net = network("unet", tiny)
    assert [tuple(part.shape) for part in net(torch.randn(2, 1, 4, 4, 4))] == [(2, 8, 4, 4, 4)]


@pytest.mark.parametrize("name", UNETS)
def test_coarser_maps_come_in_training_only(name):
    net, x = network(name, SMALL), torch.randn(2, 1, 16, 16, 24)
    assert [tuple(part.shape[2:]) for part in net.train()(x)] == [(16, 16, 24)]
    options = {**narrowed(model(name).options(SMALL), 8, 3), "levels": 2}
    net = model(name).build(SMALL, options)
    assert [tuple(part.shape[1:]) for part in net.train()(x)] == [(8, 16, 16, 24), (16, 8, 8, 12)]
    assert len(net.eval()(x)) == 1


@pytest.mark.parametrize("name", UNETS)
def test_channels_last_changes_the_numbers_only_by_rounding(name):
    net, x = network(name, SMALL).eval(), torch.randn(2, 1, 16, 16, 24)
    with torch.no_grad():
        plain = net(x)[0]
        out = lay_out(net, channels_last=True)(x.contiguous(memory_format=torch.channels_last_3d))[0]
    assert out.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(out, plain, atol=1e-4, rtol=1e-4)


def test_pictures_with_channels_last_come_out_so():
    net = lay_out(network("unet", PICTURE), channels_last=True).eval()
    with torch.no_grad():
        out = net(torch.randn(2, 3, 1, 64, 48).contiguous(memory_format=torch.channels_last_3d))[0]
    assert out.shape == (2, 8, 1, 64, 48)
    assert out.squeeze(2).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", UNETS)
def test_bf16_stays_near_float32(name):
    net, x = network(name, SMALL).eval(), torch.randn(2, 1, 16, 16, 24)
    with torch.no_grad():
        exact = net(x)[0]
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(x)[0]
    assert (rough.float() - exact).std() < 0.05 * exact.std()


@pytest.mark.parametrize("spec", [SMALL, PICTURE, THICK], ids=["volume", "picture", "thick"])
@pytest.mark.parametrize("name", UNETS)
def test_the_estimate_is_what_a_step_costs(name, spec):
    options = narrowed(model(name).options(spec), 8, spec.dimensions)
    net = lay_out(model(name).build(spec, options).train(), channels_last=True)
    # Two examples: of one, a single thread convolves float32 without oneDNN, which forgets the layout.
    x = torch.randn(2, spec.channels, *spec.shape).contiguous(memory_format=torch.channels_last_3d)
    kept: dict[int, torch.Tensor] = {}
    with FlopCounterMode(display=False) as counter:
        with saved_tensors_hooks(lambda t: kept.setdefault(t.untyped_storage().data_ptr(), t), lambda t: t):
            maps = net(x)
        sum(part.sum() for part in maps).backward()
    weights = {p.untyped_storage().data_ptr() for p in net.parameters()}
    measured = sum(t.untyped_storage().nbytes() for at, t in kept.items() if at not in weights)
    cost = model(name).cost(spec, options)
    assert cost.gflop == pytest.approx(counter.get_total_flops() / 2e9, rel=0.2)
    assert cost.activation_bytes == pytest.approx(measured / 2, rel=0.2)


def test_options_that_disagree_are_refused():
    options = {**model().options(SMALL), "features": [8, 16]}
    with pytest.raises(BadUsage, match="number of stages"):
        model().build(SMALL, options)


def test_a_table_is_refused():
    with pytest.raises(BadUsage, match="encodes images"):
        model().options(InputSpec("table", 5, 0))


def test_a_picture_with_several_slices_is_refused():
    with pytest.raises(BadUsage, match="Z = 1"):
        model().options(InputSpec("image", 1, 2, (3, 32, 32)))
