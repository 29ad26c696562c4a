"""Regions to label next, from the real sidecar."""

import warnings

import numpy as np
import pytest

import sambalab as sl
from sambalab.sidecar_client.regions import Region

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (288, 320)
PATCH = (slice(160, 240), slice(40, 120))


def two_phases(seed=0):
    """Make a dark and a bright half with noise, and a square in which every pixel is one or the other."""
    random = np.random.default_rng(seed)
    bright = np.arange(SHAPE[1]) >= SHAPE[1] // 2
    mixed = np.broadcast_to(bright, SHAPE).copy()
    mixed[PATCH] = random.random(mixed[PATCH].shape) < 0.5
    return (70 + 100 * mixed + random.integers(0, 20, SHAPE)).astype(np.uint8), bright


def strokes(shape=SHAPE):
    labels = np.zeros(shape, np.uint8)
    labels[..., 10:30, 20:80] = 1
    labels[..., 10:30, 220:280] = 2
    return labels


def train(lab):
    lab.train(preset="samba", trees=40, features=sl.FeatureSpec("samba", sigmas=[1, 2], membrane=False), progress=False)


def within(part, whole):
    return whole.start <= part.start and part.stop <= whole.stop


def test_the_most_uncertain_region_lies_where_the_phases_are_mixed():
    lab = sl.Labeller(two_phases()[0], ["dark", "bright"], name="mixed")
    lab.set_labels(strokes())
    train(lab)
    for measure in ("margin", "maximum"):
        [region] = lab.most_uncertain(measure=measure)
        assert isinstance(region, Region) and region.reason == "uncertain" and region.slice is None
        assert within(region.rows, PATCH[0]) and within(region.columns, PATCH[1])
    [region] = lab.most_uncertain()
    assert lab.labels[region.index].shape == (32, 32)
    assert lab.labels[region.slice, region.rows, region.columns].shape == (1, 32, 32)
    assert region.score == pytest.approx(lab.uncertainty[region.index].mean(), abs=1e-6)
    # A region with a label is skipped.
    drawn = lab.labels.copy()
    drawn[region.index] = 1
    lab.set_labels(drawn)
    after = lab.most_uncertain(500, side=16)
    assert 50 < len(after) < 500
    assert all(not lab.labels[other.index].any() for other in after)
    scores = [other.score for other in after]
    assert scores == sorted(scores, reverse=True)
    seen = np.zeros(SHAPE, int)
    for other in after:
        seen[other.index] += 1
    assert seen.max() == 1


def test_regions_come_from_all_slices_or_the_given_ones():
    plain = np.where(two_phases()[1], 180, 80) + np.random.default_rng(1).integers(0, 20, (3, *SHAPE))
    stack = plain.astype(np.uint8)
    stack[1] = two_phases()[0]
    lab = sl.Labeller(stack, ["dark", "bright"], name="stack")
    labels = np.zeros(stack.shape, np.uint8)
    labels[0] = strokes()
    lab.set_labels(labels)
    train(lab)
    [region] = lab.most_uncertain(progress=False)
    assert region.slice == 1 and within(region.rows, PATCH[0]) and within(region.columns, PATCH[1])
    assert lab.labels[region.slice, region.rows, region.columns].shape == lab.labels[region.index].shape == (32, 32)
    assert {other.slice for other in lab.most_uncertain(5, slices=[2, np.int64(0)], progress=False)} <= {0, 2}
    assert lab.most_uncertain(slices=2, progress=False)[0].slice == 2


def test_regions_to_begin_with_need_no_label():
    lab = sl.Labeller(two_phases()[0], ["dark", "bright"], name="begin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # where SAM is not installed
        regions = lab.suggest_regions(6)
    assert [region.reason for region in regions] == ["representative", "unusual"] * 3
    typical = [region for region in regions if region.reason == "representative"]
    assert {region.columns.start < SHAPE[1] // 2 for region in typical} == {True, False}
    with pytest.raises(sl.NotTrainedError, match=r"lab\.train"):
        lab.most_uncertain()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"n": 0}, "n is 0; a whole number from 1 to 1,000"),
        ({"n": 2.5}, "n is 2.5"),
        ({"n": True}, "n is True"),
        ({"measure": "entropy"}, "measure is 'entropy'; 'margin' or 'maximum' will do"),
        ({"side": 7}, "side is 7; a whole number from 8 to 1,024"),
        ({"slices": 1}, "slices is 1; a whole number from 0 to 0"),
        ({"slices": []}, r"slices is \[\]"),
        ({"slices": [0, "a"]}, "slices is"),
        ({"slices": 1.5}, "slices is 1.5"),
    ],
)
def test_an_invalid_parameter_is_named(arguments, says):
    lab = sl.Labeller(two_phases()[0], ["dark", "bright"], name="begin")
    with pytest.raises(sl.ParameterError, match=says):
        lab.most_uncertain(**arguments)
    if "measure" not in arguments:
        with pytest.raises(sl.ParameterError, match=says):
            lab.suggest_regions(**arguments)
