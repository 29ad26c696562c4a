"""axes=, series= and index= wherever an image is taken, and what the user is told of a file."""

import numpy as np
import pytest
import tifffile

import sambalab as sl

from .conftest import SAMBA

pytestmark = pytest.mark.usefixtures("sidecar_dirs")


@pytest.fixture
def composite(tmp_path):
    """A file of a thumbnail and two channels of particles, and the pixels and truth of its second channel."""
    image, truth = sl.data.micrograph("particles", (64, 80), seed=1)
    path = tmp_path / "composite.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(image[::8, ::8], photometric="minisblack", metadata={"axes": "YX"})
        size = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "nm"}
        file.write(np.stack([255 - image, image]), photometric="minisblack", metadata={"axes": "CYX", **size})
    return path, image, truth


def test_a_labeller_and_its_classifier_take_the_chosen_channel_of_the_largest_image(composite):
    path, image, truth = composite
    lab = sl.Labeller(path, index={"C": 1}, name="chosen")
    np.testing.assert_array_equal(lab.image, image)
    assert lab.pixel_size == (0.5, "nm")
    assert "2 images are in the file; the largest, series 1 of 64 × 80, is shown." in repr(lab)
    # The widget's banner shows the same line.
    assert lab._refresh()["image"]["notes"][0] in repr(lab)
    lab.set_labels(np.where(np.random.default_rng(0).random(truth.shape) < 0.2, truth, 0))
    classifier = lab.train(**SAMBA, progress=False)
    expected = classifier.apply(image)
    with pytest.warns(UserWarning, match="2 images are in the file"):
        np.testing.assert_array_equal(classifier.apply(path, index={"C": 1}), expected)
    chosen = {"axes": "CYX", "series": 1, "index": {"C": 1}}
    for engine in ("sidecar", "python"):
        np.testing.assert_array_equal(classifier.apply([path], engine=engine, **chosen)[0], expected)
    np.testing.assert_array_equal(sl.engine.apply_classifier(classifier, path, **chosen), expected)
    np.testing.assert_array_equal(sl.engine.feature_stack(path, **chosen), sl.engine.feature_stack(image))
    trained = sl.engine.train(path, truth, trees=3, **chosen)
    assert trained.document.data == sl.engine.train(image, truth, trees=3).document.data
    hidden = np.random.default_rng(1).random(truth.shape) < 0.5
    masked = sl.engine.train(image, np.ma.masked_array(truth, mask=hidden), trees=3)
    assert masked.document.data == sl.engine.train(image, np.where(hidden, 0, truth), trees=3).document.data
    assert sl.Labeller(path, index={"C": 1}, pixel_size=(3, "µm"), name="chosen").pixel_size == (3, "µm")
    lab.close()


def test_a_stack_in_colour_is_labelled_trained_and_segmented():
    image = np.random.default_rng(0).integers(0, 256, (2, 64, 80, 3), np.uint8)
    lab = sl.Labeller(image, name="colours")
    np.testing.assert_array_equal(lab.image, image)
    labels = np.zeros((2, 64, 80), np.uint8)
    labels[0, :4], labels[1, :4] = 1, 2
    lab.set_labels(labels)
    classifier = lab.train(**SAMBA, progress=False)
    assert lab.segmentation.shape == (2, 64, 80)
    np.testing.assert_array_equal(classifier.apply(image, engine="python"), classifier.apply(image))
    lab.close()
