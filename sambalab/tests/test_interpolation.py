"""Labels between labelled slices, on the real sidecar, against volumes whose truth is known."""

import numpy as np
import pytest

import sambalab as sl

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (31, 96, 112)


def volume(seed=0):
    """Ellipsoids of two classes in a matrix of a third: uint8 (slices, rows, columns)."""
    random = np.random.default_rng(seed)
    grid = np.indices(SHAPE).astype(np.float32)
    truth = np.ones(SHAPE, np.uint8)
    for number in range(14):
        centre = random.uniform(0, 1, 3) * SHAPE
        radii = random.uniform((9, 10, 10), (16, 24, 24))
        inside = sum(((axis - at) / radius) ** 2 for axis, at, radius in zip(grid, centre, radii, strict=True)) < 1
        truth[inside] = 2 + number % 2
    return truth


def mean_iou(found, truth):
    return np.mean(
        [((found == c) & (truth == c)).sum() / ((found == c) | (truth == c)).sum() for c in np.unique(truth)]
    )


def labelled(truth, every, name):
    lab = sl.Labeller(np.zeros(SHAPE, np.uint8), ["matrix", "a", "b"], name=name, fresh=True)
    given = np.zeros_like(truth)
    given[::every] = truth[::every]
    lab.set_labels(given)
    return lab


# Not "lamellar": its films are thinner than the labelled slices are apart.
@pytest.mark.parametrize("every", [5, 10])
@pytest.mark.parametrize("kind", ["particles", "grains", "layers"])
def test_interpolated_slices_are_nearer_to_the_truth_than_copies_of_the_nearest_one(kind, every):
    truth = sl.data.volume(kind, SHAPE, seed=1).truth
    lab = labelled(truth, every, f"{kind} every {every}")
    filled = lab.interpolate()
    assert filled == [number for number in range(SHAPE[0]) if number % every]
    nearest = np.round(np.arange(SHAPE[0]) / every).astype(int) * every
    ours = mean_iou(lab.labels[filled], truth[filled])
    copied = mean_iou(truth[nearest][filled], truth[filled])
    print(f"{kind}, every {every}: interpolated {ours:.3f}, copied {copied:.3f}")
    # Particles that are 10 to 16 voxels across come and go between slices that are ten apart: there, no outline tells of them.
    assert ours > copied - (0.02 if (kind, every) == ("particles", 10) else 0)
    np.testing.assert_array_equal(lab.labels[::every], truth[::every])


def test_interpolation_is_one_step_that_says_what_it_is(request):
    lab = labelled(volume(1), 10, "one step")
    before = lab.labels.copy()
    filled = lab.interpolate(range(11))
    assert filled == list(range(1, 10))
    assert not lab.labels[11:20].any()
    step = lab.history[-1]
    assert (step.tool, step.provenance) == ("interpolate", "interpolation")
    assert step.pixels == np.count_nonzero(lab.labels != before)
    lab.undo()
    np.testing.assert_array_equal(lab.labels, before)
    lab.redo()
    assert lab.labels[5].any()


def test_where_there_is_nothing_to_fill_an_error_says_so():
    lab = sl.Labeller(np.zeros(SHAPE, np.uint8), ["a", "b"], name="nothing", fresh=True)
    with pytest.raises(sl.LabelError, match="nothing to fill: between slices 0 and 30"):
        lab.interpolate()
    with pytest.raises(sl.ParameterError, match=r"slices is range\(0, 99\); the stack has 31 slices"):
        lab.interpolate(range(99))
    with pytest.raises(sl.ParameterError, match=r"range\(first, last \+ 1\) will do"):
        lab.interpolate((0, 5))
    single = sl.Labeller(np.zeros((40, 50), np.uint8), ["a", "b"], name="single", fresh=True)
    with pytest.raises(sl.LabelError, match="nothing to fill"):
        single.interpolate()
