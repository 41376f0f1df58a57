import numpy as np
import torch

from diascope.transforms.affine_elastic import TRANSFORM


def drawn(matrix: np.ndarray, shift: tuple[float, float, float] = (0, 0, 0), cells: int = 2) -> dict[str, np.ndarray]:
    field = np.zeros((1, cells + 3, cells + 3, cells + 3, 3), np.float32)
    return {"on": np.array([True]), "matrix": matrix[None], "shift": np.array([shift], float), "field": field}


def a_ramp(shape: tuple[int, int, int], direction: tuple[float, float, float]) -> torch.Tensor:
    """Linear in the offset (z, y, x) from the centre, so that sampling it shows where was sampled."""
    offsets = np.indices(shape).transpose(1, 2, 3, 0) + 0.5 - np.array(shape) / 2
    return torch.from_numpy((offsets @ np.array(direction)).astype(np.float32))[None, None]


def test_the_spline_of_control_points_is_exactly_affine() -> None:
    matrix = np.array([[0.9, 0.05, 0.0], [0.0, 0.8, -0.1], [0.1, 0.0, 0.7]])
    shape, direction = (9, 11, 13), (1.0, -2.0, 3.0)
    found, _ = TRANSFORM.apply(a_ramp(shape, direction), None, drawn(matrix, (0.2, 0.0, -0.3), cells=3))
    expected = a_ramp(shape, tuple(np.array(direction) @ matrix)) + np.array(direction) @ [0.2, 0.0, -0.3]
    inside = (0, 0, slice(2, -2), slice(2, -2), slice(2, -2))
    assert torch.allclose(found[inside], expected[inside].float(), atol=1e-4)


def test_identity_keeps_image_and_mask() -> None:
    image = torch.randn((1, 2, 5, 6, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(5 * 6 * 7).reshape(1, 1, 5, 6, 7).to(torch.int16)
    same, labels = TRANSFORM.apply(image, mask, drawn(np.eye(3)))
    assert torch.allclose(same, image, atol=1e-5)
    assert labels is not None
    assert torch.equal(labels, mask)


def test_turns_are_turns_in_millimetres() -> None:
    params = {"probability": 1.0, "scale": (1.0, 1.0), "spacing": (3.0, 1.0, 0.5)}
    matrices = TRANSFORM.draw(np.random.default_rng(0), 20, (8, 8, 8), params)["matrix"]
    spacing = np.array(params["spacing"])
    in_mm = matrices * spacing[:, None] / spacing
    assert np.allclose(in_mm @ in_mm.transpose(0, 2, 1), np.eye(3))
    assert np.abs(matrices @ matrices.transpose(0, 2, 1) - np.eye(3)).max() > 0.1


def test_flat_images_move_in_their_plane_only() -> None:
    params = {"probability": 1.0, "shear": 0.2, "translation": 3.0, "elastic": 2.0}
    draws = TRANSFORM.draw(np.random.default_rng(0), 5, (1, 32, 32), params)
    assert np.allclose(draws["matrix"][:, 0], [1, 0, 0])
    assert np.allclose(draws["matrix"][:, :, 0], [1, 0, 0])
    assert not draws["shift"][:, 0].any()
    assert not draws["field"][..., 0].any()
    image = torch.rand((5, 3, 1, 32, 32), generator=torch.Generator().manual_seed(0))
    moved, _ = TRANSFORM.apply(image, None, draws)
    assert moved.shape == image.shape
    assert (moved - image).abs().mean() > 0.05


def test_magnification_makes_things_larger() -> None:
    mask = torch.zeros((30, 1, 16, 16, 16), dtype=torch.uint8)
    mask[:, :, 6:10, 6:10, 6:10] = 1
    params = {"probability": 1.0, "rotation": 0.0, "scale": (1.5, 1.5)}
    draws = TRANSFORM.draw(np.random.default_rng(0), 30, (16, 16, 16), params)
    _, larger = TRANSFORM.apply(mask.float(), mask, draws)
    assert larger is not None
    assert larger[0].sum() == 6**3


def test_elastic_moves_image_and_mask_alike() -> None:
    mask = torch.zeros((2, 1, 24, 24, 24), dtype=torch.uint8)
    mask[:, :, 8:16, 8:16, 8:16] = 1
    params = {"probability": 1.0, "rotation": 0.0, "scale": (1.0, 1.0), "elastic": 4.0, "distance": 8.0}
    draws = TRANSFORM.draw(np.random.default_rng(0), 2, (24, 24, 24), params)
    image, labels = TRANSFORM.apply(mask.float(), mask, draws)
    assert labels is not None
    assert (labels != mask).sum() > 100
    assert ((image > 0.5) != (labels == 1)).float().mean() < 0.02


def test_each_example_has_its_own_draw_and_undrawn_ones_are_untouched() -> None:
    draws = TRANSFORM.draw(np.random.default_rng(0), 200, (8, 8, 8), {"probability": 0.2})
    share = draws["on"].mean()
    assert 0.4 < share < 0.8  # 1 - 0.8 ** 4 = 0.59: four parts, each with 0.2
    image = torch.rand((200, 1, 8, 8, 8), generator=torch.Generator().manual_seed(0))
    moved, _ = TRANSFORM.apply(image, None, draws)
    untouched = torch.from_numpy(~draws["on"])
    assert torch.equal(moved[untouched], image[untouched])
