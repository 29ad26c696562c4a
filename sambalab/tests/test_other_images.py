"""A classifier on images unlike those it was trained on: warnings, and resampling to the pixel size trained on."""

import warnings

import numpy as np
import pytest

import sambalab as sl
from sambalab import engine

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SIZE = 120


def blobs(size=SIZE, seed=0):
    """Bright discs on a dark ground in noise, uint16 from about 700 to 3,300; and the truth."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((size, size)) / size
    truth = np.ones((size, size), np.uint8)
    for row, column, radius in random.random((12, 3)) * (1, 1, 0.1) + (0, 0, 0.05):
        truth[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 2
    return (np.where(truth == 2, 3000, 1000) + random.normal(0, 80, truth.shape)).astype(np.uint16), truth


@pytest.fixture(scope="module")
def lab():
    """A labeller of pixels of 2 nm, whose classifier does not standardise."""
    image, truth = blobs()
    made = sl.Labeller(image, ["ground", "disc"], name="discs", pixel_size=(2, "nm"))
    made.set_labels(np.where(np.random.default_rng(1).random(truth.shape) < 0.1, truth, 0))
    made.train(progress=False, features="samba", preset="samba", trees=20)
    return made


def warned(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(each.message) for each in caught if each.category is sl.SambaLabWarning]


def test_a_classifier_keeps_the_dtype_and_grey_range_that_it_was_trained_on_in_every_file(lab, tmp_path):
    known = lab.classifier.trained_on
    assert known.dtypes == ("uint16",) and 700 < known.low < 900 and 3100 < known.high < 3400
    for name in ("a.json", "a.onnx", "a.skops"):
        if name == "a.skops":
            pytest.importorskip("skops")
        lab.classifier.save(tmp_path / name)
        again = sl.Classifier.load(tmp_path / name)
        assert again.trained_on == known and again.pixel_size == (2, "nm")
    image, truth = blobs()
    own = engine.train(image, truth, features="samba", trees=3)
    assert own.trained_on == known


@pytest.mark.parametrize("way", ["sidecar", "python"])
def test_another_dtype_or_grey_range_warns_unless_pixels_are_standardised(lab, way):
    image, truth = blobs(seed=4)
    given = lab.classifier
    assert warned(lambda: given.apply(image, engine=way)) == []
    assert warned(lambda: given.apply((image * 0.9 + 50).astype(np.uint16), engine=way)) == []
    for other in ((image // 16).astype(np.uint8), image * np.uint16(15), image.astype(np.float32) / 65535):
        (said,) = warned(lambda other=other: given.apply(other, engine=way))
        assert "trained on images of uint16 with grey values from" in said and other.dtype.name in said
    standardised = engine.train(image, truth, features=sl.FeatureSpec("samba", standardise=True), trees=3)
    assert warned(lambda: standardised.apply((image // 16).astype(np.uint8), engine=way)) == []


def test_the_engine_warns_too_and_the_warning_names_the_callers_line(lab):
    with pytest.warns(sl.SambaLabWarning, match="does not standardise") as caught:
        engine.apply_classifier(lab.classifier, blobs()[0].astype(np.float64) / 1000)
    assert caught[0].filename == __file__
    with pytest.warns(sl.SambaLabWarning) as caught:
        lab.classifier.apply(blobs()[0] * np.uint16(15))
    assert caught[0].filename == __file__


def test_hot_pixels_do_not_count_as_another_range(lab):
    image = blobs(seed=4)[0]
    image[5, 5:15] = 65535
    assert warned(lambda: lab.classifier.apply(image)) == []


def test_another_pixel_size_warns_where_both_are_known(lab):
    image = blobs(seed=4)[0]
    for size in (None, (2, "nm"), (0.00201, "µm"), (3, "px")):
        assert warned(lambda size=size: lab.classifier.apply(image, pixel_size=size)) == []
    for size in ((1, "nm"), (0.004, "µm")):
        (said,) = warned(lambda size=size: lab.classifier.apply(image, pixel_size=size))
        assert "trained on pixels of 2 nm" in said and f"are {size[0]} {size[1]}" in said and "rescale=True" in said


@pytest.mark.parametrize("way", ["sidecar", "python"])
@pytest.mark.parametrize("size", [(1, "nm"), (0.5, "nm"), (0.0031, "µm")])
def test_rescaling_gives_the_labels_of_the_size_trained_on_on_the_images_own_pixels(lab, way, size):
    nanometres = size[0] * (1000 if size[1] == "µm" else 1)
    image, truth = blobs(round(SIZE * 2 / nanometres), seed=9)
    classifier = lab.classifier
    call = {"engine": way, "pixel_size": size, "rescale": True}
    assert warned(lambda: classifier.apply(image, **call)) == []
    labels = classifier.apply(image, **call)
    assert labels.dtype == np.uint8 and labels.shape == image.shape and not labels.flags.writeable
    assert (labels == truth).mean() > 0.96
    probabilities = classifier.apply(image, "probabilities", **call)
    assert probabilities.shape == (*image.shape, 2) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert ((probabilities.argmax(-1) + 1) == labels).mean() > 0.96


def test_rescaling_to_the_same_size_changes_nothing(lab):
    image = blobs(seed=4)[0]
    same = lab.classifier.apply(image, pixel_size=(20, "Å"), rescale=True)
    np.testing.assert_array_equal(same, lab.classifier.apply(image))


def test_stacks_and_lists_are_rescaled(lab):
    image = blobs(2 * SIZE, seed=9)[0]
    one = lab.classifier.apply(image, pixel_size=(1, "nm"), rescale=True)
    stack = lab.classifier.apply(np.stack([image, image]), pixel_size=(1, "nm"), rescale=True)
    assert stack.shape == (2, *image.shape)
    np.testing.assert_array_equal(stack[1], one)
    listed = lab.classifier.apply([image], pixel_size=(1, "nm"), rescale=True)
    np.testing.assert_array_equal(listed[0], one)


def test_resampling_does_not_alias_and_keeps_a_small_spread_of_large_values():
    from sambalab.files.images import prepare
    from sambalab.files.other_images import resampled

    fine = (np.indices((200, 200)).sum(axis=0) % 2 * 1000).astype(np.uint16)
    coarse = resampled(prepare(fine), 1 / 3.7).pixels
    assert abs(coarse.astype(float) - 500).max() < 30
    large = 1e9 + np.random.default_rng(0).normal(0, 1, (50, 60))
    back = resampled(prepare(large), 2).pixels
    assert back.shape == (1, 100, 120, 1) and abs(back - 1e9).max() < 6 and back.std() > 0.5


def test_rescaling_says_what_is_missing(lab):
    image = blobs()[0]
    with pytest.raises(sl.ParameterError, match=r"needs the image's pixel size: pixel_size=\(0\.5, 'nm'\)"):
        lab.classifier.apply(image, rescale=True)
    with pytest.raises(sl.ParameterError, match=r"pixels of 1 px with those trained on, 2 nm"):
        lab.classifier.apply(image, pixel_size=(1, "px"), rescale=True)
    with pytest.raises(sl.ParameterError, match=r"pixel_size is 3"):
        lab.classifier.apply(image, pixel_size=3)
    with pytest.raises(sl.ParameterError, match=r"rescale is 'yes'; True or False"):
        lab.classifier.apply(image, rescale="yes")
    with pytest.raises(sl.ParameterError, match=r"image of 12,000,000 × 12,000,000 pixels"):
        lab.classifier.apply(image, pixel_size=(200, "µm"), rescale=True)
    unknown = engine.train(*blobs(), features="samba", trees=3)
    with pytest.raises(sl.ParameterError, match=r"images trained on, which this classifier does not know"):
        unknown.apply(image, pixel_size=(1, "nm"), rescale=True)
