"""Instance normalisation by every kernel is PyTorch's own."""

import pytest
import torch
from torch.nn import functional

from diascope.models.blocks.instance_norm import LAST, SLOPE, ExampleByExample, InstanceNorm, _is_channels_last


def a_norm(channels: int = 6, activated: bool = True) -> InstanceNorm:
    norm = InstanceNorm(channels, activated)
    generator = torch.Generator().manual_seed(1)
    norm.weight.data = torch.randn(channels, generator=generator)
    norm.bias.data = torch.randn(channels, generator=generator)
    return norm


def an_image(*size: int, last: bool = True, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    image = 3 * torch.randn(size, generator=torch.Generator().manual_seed(2)) + 5
    image = image.to(dtype)
    return (image.contiguous(memory_format=LAST[len(size)]) if last else image).requires_grad_()


def plain(x: torch.Tensor, norm: InstanceNorm) -> torch.Tensor:
    y = functional.instance_norm(x.float(), weight=norm.weight, bias=norm.bias)
    return functional.leaky_relu(y, SLOPE) if norm.activated else y


def gradients(y: torch.Tensor, x: torch.Tensor, norm: InstanceNorm) -> list[torch.Tensor]:
    weights = torch.linspace(-1, 1, y.numel()).view(y.shape)
    return list(torch.autograd.grad((y.float() * weights).sum(), [x, norm.weight, norm.bias]))


@pytest.mark.parametrize("activated", [True, False])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("size", [(3, 6, 4, 5, 7), (2, 6, 9, 8)])
def test_values_and_gradients_are_those_of_pytorch(size, last, activated):
    norm, x = a_norm(activated=activated), an_image(*size, last=last)
    assert _is_channels_last(x) == last
    ours, theirs = norm(x), plain(x, norm)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for a, b in zip(gradients(ours, x, norm), gradients(theirs, x, norm), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_channels_last_stays_so():
    x = an_image(2, 6, 4, 5, 7)
    assert a_norm()(x).is_contiguous(memory_format=torch.channels_last_3d)


def test_bf16_images_have_float32_statistics():
    norm, x = a_norm(), an_image(2, 6, 8, 9, 10, dtype=torch.bfloat16)
    ours, theirs = norm(x), plain(x, norm)
    assert ours.dtype == torch.bfloat16
    # Half a unit in the last of 8 bits.
    torch.testing.assert_close(ours.float(), theirs, atol=1e-3, rtol=2**-8)
    for a, b in zip(gradients(ours, x, norm)[1:], gradients(theirs, x, norm)[1:], strict=True):
        torch.testing.assert_close(a, b, atol=2e-1, rtol=2e-2)


def test_the_gradient_is_the_derivative():
    x = an_image(2, 3, 1, 2, 4, dtype=torch.float64)
    norm = a_norm(3).double()
    arguments = (x, norm.weight, norm.bias, 1e-5, SLOPE)
    assert torch.autograd.gradcheck(ExampleByExample.apply, arguments, atol=1e-4)


def test_compiled_it_is_the_same():
    # This back end runs what was captured as it is, so that no compiler is needed.
    norm, x = a_norm(), an_image(2, 6, 4, 5, 7)
    compiled = torch.compile(norm, backend="eager")
    torch.testing.assert_close(compiled(x), norm(x), atol=1e-5, rtol=1e-5)


def test_one_voxel_gives_the_bias():
    norm, x = a_norm(activated=False), an_image(2, 6, 1, 1, 1)
    torch.testing.assert_close(norm(x)[0].flatten(), norm.bias, atol=1e-3, rtol=1e-3)
