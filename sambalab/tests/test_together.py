"""Several images: a list of them as a stack, and labellers that are trained together."""

import numpy as np
import pytest
import tifffile

import sambalab as sl
from sambalab.files.images import prepare

from .conftest import SAMBA

pytestmark = pytest.mark.usefixtures("sidecar_dirs")
CLASSES = ["matrix", "particle"]


def micrograph(shape, seed):
    return sl.data.micrograph("particles", shape, seed=seed)


def labels_of(truth, only=None):
    chosen = np.random.default_rng(1).random(truth.shape) < 0.05
    return np.where(chosen & ((truth == only) | (only is None)), truth, 0).astype(np.uint8)


def test_a_list_of_images_of_one_shape_is_a_stack():
    first, second = micrograph((40, 50), 1).image, micrograph((40, 50), 2).image
    prepared = prepare([first, second])
    assert prepared.stack and prepared.shape == (2, 40, 50)
    np.testing.assert_array_equal(prepared.pixels[1, ..., 0], second)
    assert prepare((first,)).shape == (1, 40, 50)
    assert prepare([np.zeros((4, 5, 3), np.uint8)] * 2).pixels.shape == (2, 4, 5, 3)
    # Three columns are not colours if the slices are given one by one.
    assert prepare([first[:, :3], second[:, :3]]).shape == (2, 40, 3)
    assert prepare([[1, 2], [3, 4]]).shape == prepare([np.array([1, 2]), np.array([3, 4])]).shape == (2, 2)


def test_a_list_of_files_is_a_stack(tmp_path):
    image = micrograph((40, 50), 1).image
    paths = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for path in paths:
        tifffile.imwrite(path, image)
    assert prepare(paths).shape == prepare([str(path) for path in paths]).shape == (2, 40, 50)
    with pytest.raises(sl.ImageError, match="no file"):
        prepare([paths[0], "nowhere.tif"])


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([np.zeros((4, 5)), np.zeros((5, 4))], r"\(4, 5\) and \(5, 4\) make no stack.*train\(also="),
        ([np.zeros((7, 4, 5))] * 2, r"2 stacks of shape \(7, 4, 5\) make no stack.*train\(also="),
        ([np.zeros((4, 5)), np.zeros((4, 5, 3))], r"\(4, 5\) and \(4, 5, 3\) make no stack"),
        ([np.zeros((4, 0))] * 2, "empty"),
    ],
)
def test_other_lists_are_refused_with_what_would_do(images, says):
    with pytest.raises(sl.ImageError, match=says):
        prepare(images)


def test_labellers_learn_from_each_other_and_are_all_segmented():
    parts = [micrograph(shape, seed) for shape, seed in (((96, 128), 1), ((70, 60), 2), ((50, 90), 3))]
    one, two = (sl.Labeller(part.image, CLASSES, name=f"part {i}") for i, part in enumerate(parts[:2]))
    stack = np.stack([parts[2].image, parts[2].image[::-1]])
    three = sl.Labeller(stack, CLASSES, name="part 2")
    one.set_labels(labels_of(parts[0].truth, only=1))
    two.set_labels(labels_of(parts[1].truth, only=2))
    classifier = one.train(**SAMBA, trees=30, also=[two, three], progress=False)
    drawn = np.count_nonzero(one.labels) + np.count_nonzero(two.labels)
    for labeller, part in zip((one, two), parts[:2], strict=True):
        assert (labeller.segmentation == part.truth).mean() > 0.85
    assert (three.segmentation[0] == parts[2].truth).mean() > 0.85
    assert three.segmentation.shape == three.probabilities.shape[:3] == stack.shape
    for labeller in (one, two, three):
        same = labeller.classifier
        assert same.n_samples == drawn and same.oob_score == classifier.oob_score
        np.testing.assert_array_equal(same.apply(stack), classifier.apply(stack))
    # Alone again, with the last choice.
    two.set_labels(labels_of(parts[1].truth))
    assert two.train(progress=False).n_trees == 30


def test_labellers_that_do_not_fit_together_are_named():
    part = micrograph((40, 50), 1)
    one = sl.Labeller(part.image, CLASSES, name="grey")
    one.set_labels(labels_of(part.truth))
    colour = sl.Labeller(np.stack([part.image] * 3, -1), CLASSES, name="colour")
    with pytest.raises(sl.ParameterError, match="“colour” has 3 channels, that of “grey” 1 channel"):
        one.train(also=colour, progress=False)
    other = sl.Labeller(part.image, ["matrix", "pores"], name="pores")
    with pytest.raises(sl.ParameterError, match=r"“pores” are 1 \(matrix\), 2 \(pores\)"):
        one.train(also=[other], progress=False)
    with pytest.raises(sl.ParameterError, match="also holds a ndarray; a labeller"):
        one.train(also=[part.image], progress=False)
    with pytest.raises(sl.NotTrainedError):
        _ = one.segmentation


def test_probabilities_are_those_of_the_last_training():
    part = micrograph((64, 64), 5)
    lab = sl.Labeller(part.image, CLASSES, name="last")
    lab.set_labels(labels_of(part.truth))
    lab.train(**SAMBA, trees=5, seed=1, progress=False)
    first = lab.probabilities
    assert lab.probabilities is first or np.shares_memory(lab.probabilities, first)
    before = first.copy()
    lab.train(**SAMBA, trees=7, seed=2, progress=False)
    assert not np.array_equal(lab.probabilities, before)
    np.testing.assert_array_equal(first, before)  # arrays in variables stay
    np.testing.assert_array_equal(lab.classifier.apply(part.image, output="probabilities"), lab.probabilities)
