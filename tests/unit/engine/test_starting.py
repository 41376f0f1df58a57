"""What a network starts from: matched by name and shape, adapted where only channels differ, frozen where asked."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from diascope.core.errors import BadUsage, Tampered, UnreadableFile
from diascope.core.plan import Plan
from diascope.engine.building import build_network
from diascope.engine.foreign import tensors_of
from diascope.engine.starting import begun_network, encoders_of, file_hash, freeze, match, stages_of, take
from diascope.testing.releases import CLASSES, ORGANS, SMALL, a_plan

DENSE = a_plan(ORGANS, (16, 16, 16))


def network_of(plan: Plan, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(plan)


def weights_of(plan: Plan, seed: int = 1) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in network_of(plan, seed).state_dict().items()}


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in tensors.items()}


def encoder_names(network: nn.Module) -> set[str]:
    return {f"{name}.{key}" for name, one in encoders_of(network).items() for key in one.state_dict()}


@pytest.mark.parametrize("plan", [DENSE, a_plan()], ids=["dense", "vector"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.network."])
def test_every_weight_of_the_encoder_is_taken_and_the_head_stays_fresh(plan: Plan, prefix: str) -> None:
    network, theirs = network_of(plan, 0), under(prefix, weights_of(plan))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found = take(network, theirs)
    assert set(found.taken) == encoder_names(network)
    assert not found.left
    for key, value in network.state_dict().items():
        expected = theirs[f"{prefix}{key}"] if key in found.taken else before[key]
        assert torch.equal(value, expected), key
    assert all("head" in key for key in found.unused)


def test_names_without_the_place_in_the_network_fit_as_well() -> None:
    network = network_of(a_plan(), 0)
    inner = {key.removeprefix("encoders.image."): value for key, value in weights_of(a_plan()).items()}
    assert set(take(network, inner).taken) == encoder_names(network)


def test_a_network_for_slices_takes_one_for_pictures() -> None:
    volumes = a_plan(CLASSES, (6, 16, 16), slices=1, prepare=[], model_options=SMALL)
    network = network_of(volumes, 0)
    found = take(network, weights_of(a_plan()))
    assert set(found.taken) == encoder_names(network)


def test_what_has_another_shape_stays_fresh_and_is_named() -> None:
    wider = {**SMALL, "width": 16}
    network, theirs = network_of(a_plan(), 0), weights_of(a_plan())
    theirs["encoders.image.stages.3.0.first.weight"] = torch.zeros(3, 3, 3, 3)
    del theirs["encoders.image.stem_norm.bias"]
    found = take(network, theirs)
    assert set(found.left) == {"encoders.image.stages.3.0.first.weight", "encoders.image.stem_norm.bias"}
    assert "fresh: encoders.image.stem_norm.bias" in found.words
    assert f"{len(found.taken)} of {len(found.taken) + 2} weights" in found.words
    with pytest.raises(BadUsage, match="no weight of the file fits the network"):
        take(network_of(a_plan(model_options=wider), 0), {"some.other.weight": torch.zeros(5, 5)})


@pytest.mark.parametrize(("have", "want"), [(3, 1), (1, 3), (3, 6), (4, 2)])
def test_a_first_convolution_is_made_for_another_number_of_channels(have: int, want: int) -> None:
    network = network_of(a_plan(channels={"image": want}), 0)
    theirs = weights_of(a_plan(channels={"image": have}))
    found = take(network, theirs)
    assert found.adapted == ("encoders.image.stem.weight",)
    ours, source = network.encoders["image"].stem.weight, theirs["encoders.image.stem.weight"]
    assert ours.shape[1] == want
    if have == 3 or want == 3:  # a grey image gives the same
        torch.testing.assert_close(ours.sum(dim=1), source.sum(dim=1))


def test_of_two_encoders_of_one_kind_each_takes_its_own() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoders = nn.ModuleDict({name: network_of(a_plan(), n).encoders["image"]
                                           for n, name in enumerate(("ct", "pt"))})  # fmt: skip

    source, network = Two(), Two()
    for value in network.parameters():
        nn.init.zeros_(value)
    found = take(network, source.state_dict())
    assert all(key == other for key, other in found.taken.items())
    assert len(found.taken) == len(source.state_dict())


def a_start(folder: Path, plan: Plan, freezing: int = 0) -> Plan:
    path = folder / "weights.safetensors"
    save_file(weights_of(plan), path)
    value = {"file": str(path), "of": "", "seal": "", "sha256": file_hash(path)}
    return plan.with_choice("weights", value, "by hand", "").with_choice("freeze", freezing, "by hand", "")


def test_the_same_plan_begins_with_the_same_weights_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    plan = a_start(tmp_path, a_plan())
    torch.manual_seed(3)
    one = begun_network(plan)
    assert torch.equal(one.encoders["image"].stem.weight, weights_of(a_plan())["encoders.image.stem.weight"])
    save_file(weights_of(a_plan(), seed=9), tmp_path / "weights.safetensors")
    with pytest.raises(Tampered, match="are not those that the plan was made with"):
        begun_network(plan)


def test_plans_from_before_there_was_a_start_begin_fresh() -> None:
    torch.manual_seed(0)
    network = begun_network(a_plan())
    assert all(
        torch.equal(a, b) for a, b in zip(network.parameters(), network_of(a_plan(), 0).parameters(), strict=True)
    )


@pytest.mark.parametrize("plan", [DENSE, a_plan()], ids=["dense", "vector"])
def test_frozen_stages_keep_weights_and_statistics_and_the_others_learn(plan: Plan, tmp_path: Path) -> None:
    network = begun_network(a_start(tmp_path, plan, freezing=2))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    average = copy.deepcopy(network).requires_grad_(False).eval()
    images = torch.randn(4, 1, *plan["patch"], generator=torch.Generator().manual_seed(0)) + 2
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(2):
        network.train()
        output = network.levels({"image": images})[0] if hasattr(network, "levels") else network({"image": images})
        optimiser.zero_grad()
        output.square().mean().backward()
        optimiser.step()
    (encoder,) = encoders_of(network).values()
    (name,) = encoders_of(network)
    frozen = {
        id(value)
        for stage in stages_of(encoder)[:2]
        for part in stage
        for value in part.state_dict(keep_vars=True).values()
    }
    changed = {key for key, value in network.state_dict(keep_vars=True).items() if not torch.equal(value, before[key])}
    held = {key for key, value in network.state_dict(keep_vars=True).items() if id(value) in frozen}
    assert held
    assert (f"{name}.stem.weight" in held) == (plan is not DENSE)  # the plain U-Net has none
    assert not changed & held
    assert any("head" in key for key in changed)
    assert any(key.startswith(f"{name}.stages.2") for key in changed)
    assert not any(module.training for module in average.modules())


def test_more_stages_than_there_are_cannot_be_frozen() -> None:
    with pytest.raises(BadUsage, match=r"has 4 stages that could be frozen.*freeze=5"):
        freeze(network_of(a_plan(), 0), 5)


def a_state() -> dict[str, Tensor]:
    return {"stem.weight": torch.arange(6.0).reshape(2, 3), "stem.bias": torch.ones(2)}


@pytest.mark.parametrize(
    "content",
    [
        a_state(),
        {"state_dict": a_state(), "epoch": 3},
        {"model": {"network_weights": a_state()}, "optimizer": {"state": {0: {"step": torch.tensor(1)}}}},
    ],
    ids=["plain", "state_dict", "deep"],
)
def test_weights_are_found_in_what_a_training_program_saved(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    found = tensors_of(tmp_path / "weights.pth")
    assert found.keys() == a_state().keys()
    assert torch.equal(found["stem.weight"], a_state()["stem.weight"])


class Harmful:
    """What runs code when it is loaded."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("harm"),)


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": a_state(), "other": Harmful()}, tmp_path / "weights.pth")
    with pytest.raises(UnreadableFile, match="more than arrays would have to be loaded"):
        tensors_of(tmp_path / "weights.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("weights.pth", b"not an archive", "it is damaged"),
        ("weights.safetensors", b"\x80\x04}q.", "not a safetensors file"),
        ("weights.onnx", b"x", "end with .safetensors, .pth"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((UnreadableFile, Tampered), match=words):
        tensors_of(tmp_path / name)
    with pytest.raises(UnreadableFile, match="nothing is downloaded"):
        tensors_of(tmp_path / "absent.pth")


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    save_file({"stem.weight": torch.tensor([[1.0, float("nan")]])}, tmp_path / "weights.safetensors")
    with pytest.raises(UnreadableFile, match=r"the weight stem\.weight is not finite"):
        tensors_of(tmp_path / "weights.safetensors")


def test_what_matches_is_said_before_anything_is_copied() -> None:
    network = network_of(a_plan(), 0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert match(network, weights_of(a_plan())).words.startswith(f"{len(encoder_names(network))} of")
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
