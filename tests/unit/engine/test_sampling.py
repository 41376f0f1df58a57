"""A network that makes images of noise: scales, classes, and noise that belongs to an input and shows nothing of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from diascope.core.errors import Tampered
from diascope.engine.building import build_network
from diascope.engine.fit import load_weights, save_weights
from diascope.engine.sampling import SampleNetwork, drawn, grey, noise_of
from diascope.testing.factories import CLASSES
from diascope.testing.releases import a_plan

ENDS = [(-2.0, 2.0), (0.0, 1.0)]


class Constant(nn.Module):
    """Makes the class, or the first number of the noise, everywhere."""

    noise = 3
    training_parts = ()

    def forward(self, noise: Tensor, classes: Tensor | None = None) -> Tensor:
        value = noise[:, 0].tanh() if classes is None else classes.float()
        return value[:, None, None, None, None].expand(-1, 2, 1, 4, 5)


def network(classes: int) -> SampleNetwork:
    return SampleNetwork(Constant(), classes, ENDS).eval()


def images(count: int = 3, seed: int = 0) -> Tensor:
    return torch.rand((count, 2, 1, 4, 5), generator=torch.Generator().manual_seed(seed))


def test_the_scale_of_the_model_and_of_the_working_grid():
    samples = network(2)
    ends = torch.tensor(ENDS).T.reshape(2, 2, 1, 1, 1).expand(-1, -1, -1, 4, 5)
    assert torch.equal(samples.standard(ends), torch.stack([-torch.ones(2, 1, 4, 5), torch.ones(2, 1, 4, 5)]))
    made = samples.make(torch.zeros(2, 3), torch.tensor([1, -1]))
    assert made[:, :, 0, 0, 0].tolist() == [[2.0, 1.0], [-2.0, 0.0]]
    assert grey(made, ENDS)[:, :, 0, 0, 0].tolist() == [[255, 255], [0, 0]]


def test_each_class_is_made_for_each_image_in_the_order_of_the_classes():
    answer = network(3)({"image": images()})
    assert answer.shape == (3, 6, 1, 4, 5)
    assert answer[0, :, 0, 0, 0].tolist() == [0.0, 0.5, 2.0, 1.0, 4.0, 1.5]


def test_without_classes_one_image_is_made():
    assert network(0)({"image": images()}).shape == (3, 2, 1, 4, 5)


def test_the_same_input_gives_the_same_answer_in_any_company():
    samples, some = network(0), images()
    alone = torch.cat([samples({"image": one[None]}) for one in some])
    assert torch.equal(samples({"image": some}), alone)
    assert len(alone[:, 0, 0, 0, 0].unique()) == 3


def test_noise_is_normal_and_changes_with_any_bit_of_the_image():
    many = torch.stack([noise_of(images(1, seed)[0], 8) for seed in range(400)]).flatten()
    assert abs(float(many.mean())) < 0.06
    assert float(many.std()) == pytest.approx(1, abs=0.05)
    one = images(1)[0]
    other = one.clone()
    other[0, 0, 0, 0] += 1e-6
    assert abs(np.corrcoef(noise_of(one, 200), noise_of(other, 200))[0, 1]) < 0.3


def test_the_first_numbers_of_a_seed_do_not_depend_on_how_many_are_drawn():
    assert torch.equal(drawn(5, 40, 16)[:3], drawn(5, 3, 16))
    assert not torch.equal(drawn(5, 3, 16), drawn(6, 3, 16))


def test_a_release_holds_no_judge(tmp_path):
    """Weights without it are read back; without anything else they are not."""
    plan = a_plan(CLASSES, (1, 8, 8), model="gan", model_options={"width": 8, "noise": 4})
    plan = plan.model_copy(update={"task": "synthesis", "target": CLASSES.model_copy(update={"kind": "images"})})
    torch.manual_seed(0)
    samples, path = build_network(plan).eval(), tmp_path / "weights.safetensors"
    save_weights(samples, path)
    written = load_file(path)
    assert not [name for name in written if "critic" in name]
    back, noise = load_weights(plan, path), drawn(1, 2, 4)
    assert torch.equal(back.make(noise, None), samples.make(noise, None))
    first = next(name for name in written if "generator" in name)
    save_file({name: value for name, value in written.items() if name != first}, path)
    with pytest.raises(Tampered, match="do not fit"):
        load_weights(plan, path)
