"""A region to work on, on the real sidecar and a micrograph whose truth is known."""

import numpy as np
import pytest

import sambalab as sl
from sambalab.tests.conftest import SAMBA

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

REGION = np.s_[30:190, 40:250]


@pytest.fixture(scope="module")
def micrograph():
    return sl.data.micrograph("particles", (300, 400), seed=3)


def labeller(micrograph, name):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name=name, fresh=True)
    chosen = np.random.default_rng(0).random(micrograph.truth.shape) < 0.05
    lab.set_labels(np.where(chosen, micrograph.truth, 0))
    return lab


def test_a_region_is_learned_and_segmented_as_the_whole_image_would_be_there(micrograph):
    lab = labeller(micrograph, "inside")
    assert lab.region is None
    before = lab.labels.copy()
    lab.region = REGION
    assert lab.region == REGION
    assert lab.image[lab.region].shape == (160, 210)
    classifier = lab.train(**SAMBA, progress=False)
    np.testing.assert_array_equal(lab.labels, before)
    assert classifier.n_samples == np.count_nonzero(lab.labels[lab.region])
    outside = np.ones(lab.shape, bool)
    outside[REGION] = False
    assert not lab.segmentation[outside].any()
    # Not those of the cropped image: pixels around the region count as they do in the whole image.
    whole = classifier.apply(lab.image)
    np.testing.assert_array_equal(lab.segmentation[REGION], np.where(before[REGION] > 0, before[REGION], whole[REGION]))
    np.testing.assert_array_equal(
        lab.probabilities[REGION], classifier.apply(lab.image, output="probabilities")[REGION]
    )
    assert not lab.probabilities[outside].any()
    assert not lab.uncertainty[outside].any()
    assert not lab.uncertainty_by("maximum")[outside].any()
    features = lab.features.copy()
    assert not features[outside].any()
    assert (lab.segmentation[REGION] == micrograph.truth[REGION]).mean() > 0.95
    fractions = lab.report().fractions
    np.testing.assert_allclose(fractions, [np.mean(lab.segmentation[REGION] == value) for value in (1, 2)])
    lab.region = None
    np.testing.assert_array_equal(features[REGION], lab.features[REGION])
    # The segmentation of the rest is made when it is asked for.
    assert (lab.segmentation > 0).all()
    lab.close()


def test_the_region_is_kept_with_the_session(micrograph):
    lab = labeller(micrograph, "kept")
    lab.region = np.s_[:100, -50:]
    lab.close()
    again = sl.Labeller(micrograph.image, name="kept")
    assert again.region == np.s_[0:100, 350:400]
    again.close()


def test_corrections_outside_of_the_region_do_not_count(micrograph):
    lab = labeller(micrograph, "corrected")
    lab.region = REGION
    lab.train(**SAMBA, progress=False)
    lab.region = None
    lab.majority_filter(2)
    corrected = lab.corrected
    lab.region = REGION
    np.testing.assert_array_equal(lab.corrected[REGION], corrected[REGION])
    assert np.count_nonzero(lab.corrected) == 160 * 210
    lab.close()


def test_the_region_of_a_stack_has_slices_rows_and_columns(micrograph):
    lab = sl.Labeller(np.stack([micrograph.image] * 4), ["matrix", "particle"], name="stack", fresh=True)
    lab.region = np.s_[10:60, 20:90]
    assert lab.region == np.s_[0:4, 10:60, 20:90]
    lab.region = np.s_[1:3, 10:60, 20:90]
    assert lab.labels[lab.region].shape == (2, 50, 70)
    labels = np.zeros(lab.shape, np.uint8)
    labels[:, ::7] = micrograph.truth[::7]
    lab.set_labels(labels)
    classifier = lab.train(**SAMBA, progress=False)
    assert classifier.n_samples == np.count_nonzero(labels[lab.region])
    assert lab.segmentation[lab.region].all()
    assert np.count_nonzero(lab.segmentation) == 2 * 50 * 70
    lab.region = (3, slice(10, 60), slice(20, 90))
    assert lab.region == np.s_[3:4, 10:60, 20:90]
    lab.close()


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (np.s_[10:20], r"region is slice\(10, 20, None\); a range of rows and one of columns will do"),
        (np.s_[10:20, 10:500], r"columns are slice\(10, 500, None\); .* 400 columns from 0 to 400 will do"),
        (np.s_[20:20, 10:50], r"rows are slice\(20, 20, None\)"),
        (np.s_[0:20:2, 10:50], r"rows are slice\(0, 20, 2\)"),
        (np.s_[0.5:20, 10:50], r"rows are slice\(0.5, 20, None\)"),
        ("all", "region is 'all'"),
    ],
)
def test_a_region_that_the_image_does_not_have_is_refused(micrograph, region, message):
    lab = sl.Labeller(micrograph.image, name="refused")
    with pytest.raises(sl.ParameterError, match=message):
        lab.region = region
    assert lab.region is None
    lab.close()


def test_a_training_without_labels_in_the_region_says_so(micrograph):
    lab = labeller(micrograph, "none inside")
    labels = lab.labels.copy()
    labels[REGION] = 0
    lab.set_labels(labels)
    lab.region = REGION
    with pytest.raises(sl.LabelError, match="No pixel is labelled in the region that is worked on"):
        lab.train(**SAMBA, progress=False)
    lab.close()


def test_sam_sees_the_region_alone_as_an_image_of_its_own(micrograph):
    lab = labeller(micrograph, "sam region")
    lab.region = REGION
    crop = sl.Labeller(micrograph.image[REGION], ["matrix", "particle"], name="sam crop", fresh=True)
    crop.set_labels(lab.labels[REGION])
    np.testing.assert_array_equal(lab.embedding, crop.embedding)
    masks = lab.suggest(100, 120).masks
    np.testing.assert_array_equal(masks[:, 30:190, 40:250], crop.suggest(70, 80).masks)
    assert not masks[:, :30].any() and not masks[:, :, 250:].any()
    with pytest.raises(sl.ParameterError, match="outside the region that is worked on, rows 30 to 190"):
        lab.suggest(10, 120)
    for each in (lab, crop):
        each.train(features=sl.FeatureSpec("sam"), preset="samba", progress=False)
    seen = [i for i, name in enumerate(lab.feature_names) if name.startswith("SAM")]
    assert len(seen) > 3
    np.testing.assert_array_equal(lab.features[REGION][..., seen], crop.features[..., seen])
    lab.close()
    crop.close()
