"""The picture in a labeller's output, for front ends that have no kernel."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

import sambalab as sl
from sambalab.spec.tables import limits

from .conftest import SAMBA

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

COLORS = {"matrix": "#ff0000", "particle": "#0000ff"}


def picture_of(lab):
    bundle = lab._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data and data["text/plain"] == repr(lab)
    png = base64.b64decode(data["image/png"], validate=True)
    assert len(png) <= limits("picture", "bytes")
    picture = Image.open(io.BytesIO(png))
    assert picture.format == "PNG" and max(picture.size) <= limits("picture", "sides")[0]
    return np.asarray(picture.convert("RGB")).astype(int)


def test_the_output_has_a_picture_of_image_and_labels():
    image = np.full((300, 400), 100, np.uint8)
    lab = sl.Labeller(image, COLORS, name="picture")
    np.testing.assert_allclose(picture_of(lab), 100, atol=4)
    labels = np.zeros(image.shape, np.uint8)
    labels[100:150, 50:90] = 1
    labels[200:250, 300:320] = 2
    lab.set_labels(labels)
    shown = picture_of(lab)
    assert shown.shape == (300, 400, 3)
    red, blue, rest = shown[120, 70], shown[220, 310], shown[20, 20]
    assert red[0] > 180 > 60 > red[2] and blue[2] > 180 > 60 > blue[0]
    np.testing.assert_allclose(rest, 100, atol=4)
    np.testing.assert_array_equal(shown[..., 0] > 150, labels == 1)


def test_the_picture_shows_the_segmentation_of_a_trained_labeller():
    image, truth = sl.data.micrograph("particles", (96, 128), seed=3)
    lab = sl.Labeller(image, COLORS, name="segmented")
    lab.set_labels(np.where(np.random.default_rng(0).random(truth.shape) < 0.05, truth, 0))
    lab.train(**SAMBA, progress=False)
    shown = picture_of(lab)
    bluer = shown[..., 2] > shown[..., 0]
    assert (bluer == (lab.segmentation == 2)).mean() > 0.98


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 1), "uint8"), ((1, 900), "float64"), ((3, 700, 40), "uint16"), ((700, 900, 3), "uint8")]
)
def test_every_image_has_a_small_picture(shape, dtype):
    image = np.random.default_rng(1).integers(0, 255, shape).astype(dtype)  # noise hardly compresses
    shown = picture_of(sl.Labeller(image, name=f"{shape} picture"))
    rows, columns = shape[:2] if len(shape) == 2 or shape[-1] == 3 else shape[1:]
    assert shown.shape[0] / shown.shape[1] == pytest.approx(rows / columns, rel=0.05, abs=0.01)


def test_a_thin_stroke_on_a_large_image_is_in_the_picture():
    image = np.full((3000, 4000), 40, np.uint8)
    lab = sl.Labeller(image, COLORS, name="large")
    labels = np.zeros(image.shape, np.uint8)
    labels[1500:1504, 1000:3000] = 1
    lab.set_labels(labels)
    assert (picture_of(lab)[..., 0] > 150).sum() > 250
