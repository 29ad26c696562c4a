"""Phase fractions with intervals, of arrays and of labellers, on the real sidecar."""

import numpy as np
import pytest

import sambalab as sl
from sambalab.tests.conftest import SAMBA

pytestmark = pytest.mark.usefixtures("sidecar_dirs")


def discs(seed, shape=(150, 180), radius=4, fraction=0.3):
    """A Boolean model of discs: id 2 of the expected fraction, all else id 1."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = y**2 + x**2 <= radius**2
    rows, columns = (length + 2 * radius for length in shape)
    ids = np.ones((rows, columns), np.uint8)
    per_pixel = -np.log(1 - fraction) / disc.sum()
    grown = np.pad(ids, radius)
    for row, column in np.argwhere(random.poisson(per_pixel, (rows, columns))):
        grown[row : row + 2 * radius + 1, column : column + 2 * radius + 1][disc] = 2
    return grown[2 * radius : 2 * radius + shape[0], 2 * radius : 2 * radius + shape[1]]


def test_intervals_of_arrays_hold_the_truth_and_narrow_with_images():
    images = [discs(seed) for seed in range(8)]
    one, all_of_them = sl.phase_fractions(images[0]), sl.phase_fractions(images, classes=["matrix", "pore"])
    assert one.classes == ("1", "2") and all_of_them.classes == ("matrix", "pore") and all_of_them.class_ids == (1, 2)
    np.testing.assert_allclose(one.fractions, [np.mean(images[0] == number) for number in (1, 2)])
    np.testing.assert_allclose(all_of_them.fractions[1], np.mean(np.stack(images) == 2))
    np.testing.assert_allclose(all_of_them.by_image[:, 1], [np.mean(image == 2) for image in images])
    np.testing.assert_array_equal(all_of_them.pixels, [150 * 180] * 8)
    for found in (one, all_of_them):
        assert found.intervals.shape == (2, 2) and found.intervals.dtype == np.float64
        assert found.intervals[1, 0] < 0.3 < found.intervals[1, 1]
        # Two phases: the interval of one mirrors that of the other.
        np.testing.assert_allclose(found.intervals[0], 1 - found.intervals[1, ::-1], atol=1e-9)
        assert np.isnan(found.classification_errors).all() and (found.independent_areas > 50).all()
    width, narrow = np.ptp(one.intervals[1]), np.ptp(all_of_them.intervals[1])
    assert narrow < 0.6 * width and "95 % interval" in repr(one) and "<table>" in all_of_them._repr_html_()


def test_probabilities_of_arrays_widen_the_interval():
    ids = discs(3)
    soft = np.where(ids[..., np.newaxis] == [1, 2], 0.9, 0.1)
    plain, unsure = sl.phase_fractions([ids]), sl.phase_fractions([ids], [soft])
    np.testing.assert_allclose(unsure.fractions, plain.fractions)
    # The mean probability of a phase of 30 % is 34 %.
    excess = np.mean(soft[..., 1]) - plain.fractions[1]
    assert unsure.classification_errors[1] > excess > 0.03
    assert np.ptp(unsure.intervals[1]) > 1.2 * np.ptp(plain.intervals[1])


def test_a_volume_is_one_image_and_unsegmented_pixels_do_not_count():
    ids = discs(4)
    repeated = sl.phase_fractions(np.stack([ids] * 5))
    np.testing.assert_allclose(repeated.intervals, sl.phase_fractions(ids).intervals)
    masked = ids.copy()
    masked[:, :60] = 0
    found = sl.phase_fractions([masked, np.zeros_like(ids)])
    np.testing.assert_allclose(found.fractions[1], np.mean(ids[:, 60:] == 2))
    assert found.pixels.tolist() == [150 * 120, 0] and np.isnan(found.by_image[1]).all()


def test_images_that_say_little_are_told_of():
    alone = sl.phase_fractions(np.ones((40, 50), np.uint8))
    assert alone.fractions.tolist() == [1.0] and np.isnan(alone.intervals).all()
    halves = np.repeat([[1, 2]], 40, axis=0).repeat(20, axis=1)
    rough = sl.phase_fractions(halves, classes=["left", "right", "none"])
    assert np.ptp(rough.intervals[0]) > 0.8 and "few regions of left, right:" in repr(rough)
    assert rough.fractions[2] == 0 and np.isnan(rough.intervals[2]).all()
    nothing = sl.phase_fractions(np.zeros((5, 5), np.uint8), classes=["a"])
    assert np.isnan(nothing.fractions).all() and nothing.pixels.tolist() == [0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([],), "images has 0 items"),
        ((np.ones((3, 3)),), "images is float64 of shape"),
        (([np.full((3, 3), 300)],), r"images\[0\] has values from 300 to 300"),
        (([np.ones((3, 3), int)], [np.ones((3, 4, 2))]), r"probabilities\[0\] is float64 of shape \(3, 4, 2\)"),
        (([np.ones((3, 3), int)], [np.full((3, 3, 2), 7.0)]), "outside of 0 to 1"),
        (([np.ones((3, 3), int)], []), "probabilities has 0 items for 1 images"),
    ],
)
def test_wrong_arrays_are_refused(arguments, said):
    with pytest.raises(sl.ParameterError, match=said):
        sl.phase_fractions(*arguments)
    with pytest.raises(sl.ParameterError, match="a list of 2 names"):
        sl.phase_fractions([discs(1)], classes=["matrix"])


def test_labellers_give_the_intervals_of_their_report_and_pool_by_area():
    labs = []
    for seed, size in ((1, 1.0), (2, 2.0)):
        made = sl.data.micrograph("particles", (200, 240), seed=seed)
        lab = sl.Labeller(
            made.image, ["matrix", "particle"], name=f"phases {seed}", pixel_size=(size, "nm"), fresh=True
        )
        chosen = np.random.default_rng(0).random(made.truth.shape) < 0.05
        lab.set_labels(np.where(chosen, made.truth, 0))
        labs.append(lab)
    with pytest.raises(sl.NotTrainedError, match="There is no segmentation yet"):
        sl.phase_fractions(labs[0])
    with pytest.raises(sl.NotTrainedError, match=r"images\[0\]: There is no segmentation yet"):
        sl.phase_fractions(labs)
    classifier = labs[0].train(**SAMBA, also=labs[1:], progress=False)
    report, one, both = labs[0].report(), sl.phase_fractions(labs[0]), sl.phase_fractions(labs)
    np.testing.assert_allclose(report.intervals, one.intervals)
    assert (report.intervals[:, 0] < report.fractions).all() and (report.fractions < report.intervals[:, 1]).all()
    assert (one.classification_errors > 0).all()
    # What the session computes block by block is what the whole arrays give.
    soft = classifier.apply(labs[0].image, output="probabilities")
    by_hand = sl.phase_fractions([labs[0].segmentation], [soft], classes=labs[0].classes)
    np.testing.assert_allclose(by_hand.intervals, one.intervals, atol=1e-6)
    share = [np.mean(lab.segmentation == 2) for lab in labs]
    np.testing.assert_allclose(both.fractions[1], (share[0] + 4 * share[1]) / 5)
    labs[0].majority_filter(3)
    np.testing.assert_allclose(sl.phase_fractions(labs[0]).fractions[1], np.mean(labs[0].corrected == 2))
    with pytest.raises(sl.ParameterError, match="labellers and arrays"):
        sl.phase_fractions([labs[0], labs[1].segmentation])
    other = sl.Labeller(labs[1].image, ["matrix", "pore"], name="other phases", fresh=True)
    with pytest.raises(sl.LabelError, match="images.1. has the classes"):
        sl.phase_fractions([labs[0], other])
    for lab in (*labs, other):
        lab.close()
