"""Example micrographs."""

import hashlib
import importlib.util

import numpy as np
import pytest

import sambalab as sl


@pytest.mark.parametrize(("kind", "classes"), [("particles", 2), ("grains", 3), ("layers", 3)])
def test_a_synthetic_micrograph_has_every_class_and_shows_it(kind, classes):
    image, truth = sl.data.micrograph(kind, (200, 260), seed=5)
    assert image.shape == truth.shape == (200, 260)
    assert image.dtype == truth.dtype == np.uint8
    ids, counts = np.unique(truth, return_counts=True)
    assert ids.tolist() == list(range(1, classes + 1))
    assert counts.min() > 0.1 * truth.size
    means = [image[truth == i].mean() for i in ids]
    assert np.diff(means).min() > 15


@pytest.mark.parametrize(("kind", "classes"), [("particles", 2), ("grains", 3), ("layers", 3)])
def test_a_synthetic_volume_has_every_class_and_goes_on_from_slice_to_slice(kind, classes):
    image, truth = sl.data.volume(kind, (30, 70, 90), seed=3)
    assert image.shape == truth.shape == (30, 70, 90)
    assert image.dtype == truth.dtype == np.uint8
    ids, counts = np.unique(truth, return_counts=True)
    assert ids.tolist() == list(range(1, classes + 1))
    assert counts.min() > 0.1 * truth.size
    assert np.diff([image[truth == i].mean() for i in ids]).min() > 15
    assert 0 < (truth[1:] != truth[:-1]).mean() < 0.15
    assert np.array_equal(sl.data.volume(kind, (30, 70, 90), seed=3).image, image)
    assert not np.array_equal(sl.data.volume(kind, (30, 70, 90), seed=4).truth, truth)


@pytest.mark.parametrize("seed", range(3))
def test_lamellae_are_finer_than_their_colonies_and_two_classes_are_rare(seed):
    image, truth = sl.data.micrograph("lamellar", seed=seed)
    assert image.shape == truth.shape == (512, 512)
    shares = np.bincount(truth.ravel(), minlength=5) / truth.size
    assert shares[0] == 0 and shares[1] > 0.5 and shares[2] > 0.1
    assert 0.001 < shares[3] < 0.02 and 0.001 < shares[4] < 0.01
    # The grey of a colony varies more than that of an island, though their means are close.
    deep = np.zeros(truth.shape, bool)
    deep[4:-4, 4:-4] = True
    grey = [image[(truth == number) & deep].astype(float) for number in (1, 2)]
    assert abs(grey[0].mean() - grey[1].mean()) < 15 < grey[0].std() and grey[1].std() < 0.8 * grey[0].std()


def test_lamellae_go_on_from_slice_to_slice():
    image, truth = sl.data.volume("lamellar", (12, 90, 100), seed=1)
    assert image.shape == truth.shape == (12, 90, 100) and set(np.unique(truth)) <= {1, 2, 3, 4}
    assert 0 < (truth[1:] != truth[:-1]).mean() < 0.15
    smooth = image.astype(float) - image.mean()
    assert np.corrcoef(smooth[1:].ravel(), smooth[:-1].ravel())[0, 1] > 0.2


@pytest.mark.parametrize("kind", sl.data.KINDS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 50, 4), (40, 1, 2)])
def test_tiny_volumes_work(kind, shape):
    image, truth = sl.data.volume(kind, shape)
    assert image.shape == truth.shape == shape and truth.min() >= 1


@pytest.mark.parametrize("kind", sl.data.KINDS)
def test_the_seed_alone_decides(kind):
    first = sl.data.micrograph(kind, (64, 80), seed=1)
    again = sl.data.micrograph(kind, (64, 80), seed=1)
    other = sl.data.micrograph(kind, (64, 80), seed=2)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.truth, again.truth)
    assert not np.array_equal(first.image, other.image) and not np.array_equal(first.truth, other.truth)


@pytest.mark.parametrize("kind", sl.data.KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_tiny_shapes_work(kind, shape):
    image, truth = sl.data.micrograph(kind, shape)
    assert image.shape == truth.shape == shape and truth.min() >= 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cells",), "'cells'.*particles, grains, layers"),
        (("grains", (0, 5)), r"\(0, 5\)"),
        (("grains", 5), "rows, columns"),
        (("grains", (5, 5, 5)), "rows, columns"),
        (("grains", (5, 5), -1), "seed is -1"),
        (("grains", (5, 5), 1.5), "seed is 1.5"),
    ],
)
def test_wrong_arguments_are_named(arguments, says):
    with pytest.raises(sl.ParameterError, match=says):
        sl.data.micrograph(*arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cells",), "'cells'.*particles, grains, layers"),
        (("grains", (5, 5)), "slices, rows, columns"),
        (("grains", (5, 5, 0)), r"\(5, 5, 0\)"),
        (("grains", (2000, 2000, 2000)), "1,000,000,000 voxels"),
        (("grains", (5, 5, 5), True), "seed is True"),
    ],
)
def test_wrong_arguments_of_a_volume_are_named(arguments, says):
    with pytest.raises(sl.ParameterError, match=says):
        sl.data.volume(*arguments)


def test_the_gold_micrograph_is_cropped_and_has_its_scale():
    if importlib.util.find_spec("aquami") is None:
        pytest.skip("aquami is not installed")
    image, pixel_size = sl.data.nanoporous_gold()
    assert image.shape == (690, 1024) and image.dtype == np.uint8
    assert pixel_size * 1024 == pytest.approx(556)
    assert len(np.unique(image)) > 100
    assert (
        hashlib.sha256(image.tobytes()).hexdigest()
        == "0f7b436ba8b4c30a361789f48276b54f32e84eeede15d6a69c3229e33c215981"
    )


def test_without_aquami_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(sl.SambaLabError, match="pip install aquami==1.1.0"):
        sl.data.nanoporous_gold()
