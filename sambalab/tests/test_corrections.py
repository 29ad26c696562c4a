"""The correction of the segmentation, on the real sidecar, against scikit-image and NumPy."""

import math
import re

import numpy as np
import pytest
from skimage.morphology import remove_small_holes, remove_small_objects

import sambalab as sl
from sambalab.sidecar_client import sidecar
from sambalab.spec.parameters import show

from .conftest import kill

pytestmark = pytest.mark.usefixtures("sidecar_dirs")


@pytest.fixture(scope="module")
def lab(sidecar_dirs):
    """A stack of noise, so that the segmentation has islands and holes of all sizes."""
    rng = np.random.default_rng(3)
    stack = rng.integers(0, 255, (3, 70, 90)).astype(np.uint8)
    made = sl.Labeller(stack, ["a", "b", "c"], name="corrections", fresh=True)
    labels = np.zeros(stack.shape, np.uint8)
    labels[:, ::9, ::9] = 1 + stack[:, ::9, ::9] // 86
    made.set_labels(labels)
    made.train(features="samba", trees=5)
    return made


@pytest.fixture
def fresh(lab):
    lab.clear_correction()
    return lab


def islands(ids, below, only=None):
    """Remove islands one by one, as the words say it."""
    small = np.zeros(ids.shape, bool)
    for each in [only] if only else np.unique(ids):
        mask = ids == each
        small |= mask & ~remove_small_objects(mask, max_size=below - 1, connectivity=1)
    return small


def majority(ids, radius):
    out = ids.copy()
    for at in np.ndindex(ids.shape):
        rows = slice(max(0, at[0] - radius), at[0] + radius + 1)
        columns = slice(max(0, at[1] - radius), at[1] + radius + 1)
        counts = np.bincount(ids[rows, columns].ravel(), minlength=256)
        if counts[ids[at]] < counts.max():
            out[at] = counts.argmax()
    return out


@pytest.mark.parametrize("slice", [None, 1])
@pytest.mark.parametrize("only", [None, 2])
def test_islands_are_those_of_scikit_image_and_get_the_class_around_them(fresh, slice, only):
    before = fresh.corrected
    part = before if slice is None else before[slice]
    small = islands(part, 6, only)
    assert small.any()
    changed = fresh.remove_islands(6, None if only is None else "b", slice=slice)
    after = fresh.corrected
    here = after if slice is None else after[slice]
    np.testing.assert_array_equal(here[~small], part[~small])
    from scipy.ndimage import generate_binary_structure, label

    cross = generate_binary_structure(part.ndim, 1)
    for each in np.unique(part[small]):
        regions, count = label(small & (part == each), cross)
        for number in range(1, count + 1):
            region = np.argwhere(regions == number)
            votes = np.zeros(256, int)
            for pixel in region:
                for axis in range(part.ndim):
                    for step in (-1, 1):
                        near = pixel.copy()
                        near[axis] += step
                        inside = (near >= 0).all() and (near < part.shape).all()
                        if inside and not small[tuple(near)]:
                            votes[part[tuple(near)]] += 1
            expected = votes.argmax() if votes.any() else each
            assert {int(here[tuple(pixel)]) for pixel in region} == {int(expected)}
    assert changed == np.count_nonzero(fresh.correction)
    if slice is not None:
        assert not fresh.correction[[0, 2]].any()


@pytest.mark.parametrize("slice", [None, 2])
def test_holes_are_those_of_scikit_image(fresh, slice):
    before = fresh.corrected
    part = before if slice is None else before[slice]
    filled = remove_small_holes(part == 1, max_size=6, connectivity=1)
    fresh.fill_holes(7, "a", slice=slice)
    here = fresh.corrected if slice is None else fresh.corrected[slice]
    np.testing.assert_array_equal(here, np.where(filled, 1, part))
    assert (here != part).any()


@pytest.mark.parametrize("radius", [1, 4])
def test_the_majority_is_that_of_numpy(fresh, radius):
    before = fresh.corrected
    fresh.majority_filter(radius)
    np.testing.assert_array_equal(fresh.corrected, np.stack([majority(each, radius) for each in before]))


def test_each_action_is_one_step_that_survives_a_crash(fresh):
    labels = fresh.labels.copy()
    plain = fresh.segmentation.copy()
    start = len(fresh.history)
    fresh.majority_filter(2)
    corrected = fresh.corrected
    assert fresh.use_correction(slice(5, 30), slice(10, 40), slice=1) > 0
    expected = labels.copy()
    patch = fresh.correction[1, 5:30, 10:40]
    expected[1, 5:30, 10:40] = np.where(patch != 0, patch, labels[1, 5:30, 10:40])
    np.testing.assert_array_equal(fresh.labels, expected)
    assert [step.tool for step in fresh.history[start:]] == ["majority", "use_correction"]
    fresh.clear_correction(slice=0)
    assert not fresh.correction[0].any()
    fresh.undo()
    np.testing.assert_array_equal(fresh.correction[1], np.where(corrected == plain, 0, corrected)[1])
    kill(sidecar._find().pid)
    np.testing.assert_array_equal(fresh.correction[2], np.where(corrected == plain, 0, corrected)[2])
    fresh.undo(2)
    np.testing.assert_array_equal(fresh.labels, labels)
    assert not fresh.correction.any()
    fresh.redo()
    np.testing.assert_array_equal(fresh.correction[1], np.where(corrected == plain, 0, corrected)[1])


def test_a_new_training_keeps_the_correction_on_top_and_files_have_it(fresh, tmp_path):
    fresh.majority_filter(3)
    correction = fresh.correction.copy()
    fresh.train(features="samba", trees=3)
    np.testing.assert_array_equal(fresh.correction, correction)
    expected = np.where(correction != 0, correction, fresh.segmentation)
    np.testing.assert_array_equal(fresh.corrected, expected)
    fresh.save(tmp_path / "corrected.npy", "corrected")
    np.testing.assert_array_equal(np.load(tmp_path / "corrected.npy"), expected)
    counts = fresh._refresh()["segmentation"]["counts"]
    assert counts == {str(each): int(np.count_nonzero(expected == each)) for each in np.unique(expected)}


WRONG = [
    "x",
    "",
    math.nan,
    math.inf,
    -1,
    1.5,
    -(10**30),
    True,
    np.arange(30),
    [1],
    b"x",
    {"a": 1},
    object(),
    np.float32(1),
]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda lab, wrong: lab.remove_islands(wrong), "below is {}; a whole number from 1 will do"),
        (lambda lab, wrong: lab.remove_islands(3, wrong), "label is {}; the classes are a, b, c"),
        (lambda lab, wrong: lab.remove_islands(3, slice=wrong), "slice is {}; a whole number from 0 to 2 will do"),
        (lambda lab, wrong: lab.fill_holes(wrong, "a"), "below is {}; a whole number from 1 will do"),
        (lambda lab, wrong: lab.fill_holes(3, wrong), "label is {}; the classes are a, b, c"),
        (lambda lab, wrong: lab.fill_holes(3, "a", slice=wrong), "slice is {}; a whole number from 0 to 2 will do"),
        (lambda lab, wrong: lab.majority_filter(wrong), "radius is {}; a whole number from 1 to 50 will do"),
        (lambda lab, wrong: lab.majority_filter(1, slice=wrong), "slice is {}; a whole number from 0 to 2 will do"),
        (lambda lab, wrong: lab.use_correction(wrong), r"rows is {}; slice\(first, end\) will do"),
        (lambda lab, wrong: lab.use_correction(None, wrong), r"columns is {}; slice\(first, end\) will do"),
        (lambda lab, wrong: lab.use_correction(slice=wrong), "slice is {}; a whole number from 0 to 2 will do"),
        (lambda lab, wrong: lab.clear_correction(wrong), r"rows is {}; slice\(first, end\) will do"),
        (lambda lab, wrong: lab.clear_correction(slice=wrong), "slice is {}; a whole number from 0 to 2 will do"),
    ],
)
def test_wrong_arguments_of_corrections_are_named_with_what_would_do(fresh, call, says):
    for wrong in WRONG:
        with pytest.raises((sl.ParameterError, sl.LabelError), match=says.format(re.escape(show(wrong)))):
            call(fresh, wrong)
    assert not fresh.correction.any()


def test_limits_of_corrections_are_named_and_huge_islands_are_taken(fresh):
    with pytest.raises(sl.ParameterError, match="radius is 3000; a whole number from 1 to 50 will do"):
        fresh.majority_filter(3000)
    for wrong in (slice("a", "b"), slice(None, None, 2), slice(None, None, 0), slice(1.5, 3)):
        with pytest.raises(sl.ParameterError, match=r"rows is slice\(.*; slice\(first, end\) will do"):
            fresh.use_correction(wrong)
    with pytest.raises(sl.ParameterError, match=r"columns is slice\(90, 95, None\); that holds none of the 90 columns"):
        fresh.clear_correction(None, slice(90, 95))
    assert fresh.remove_islands(10**30) >= 0


def test_what_cannot_be_corrected_is_named(fresh):
    with pytest.raises(sl.ParameterError, match="below is 0; a whole number from 1"):
        fresh.remove_islands(0)
    with pytest.raises(sl.LabelError, match="the classes are a, b, c"):
        fresh.fill_holes(3, "d")
    other = sl.Labeller(np.zeros((20, 20), np.uint8), name="untrained", fresh=True)
    with pytest.raises(sl.NotTrainedError):
        _ = other.corrected
    with pytest.raises(sl.NotReadyError, match="no segmentation to correct"):
        other.majority_filter(1)
