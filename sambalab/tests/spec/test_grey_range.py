"""The values shown as black and white, to users and to SAM, which hot, dead, padded and saturated pixels must not decide."""

import numpy as np
import pytest

from sambalab.files.images import display_range
from sambalab.spec.grey_range import grey_range
from sambalab.tests.typescript import typescript

SIZE = 400
DTYPES = ["uint16", "int16", "uint32", "int32", "float32", "float64"]


def noise(dtype="uint16", centre=20000, spread=500):
    return np.random.default_rng(1).normal(centre, spread, (SIZE, SIZE)).astype(dtype)


def spoilt(image, share, value):
    out = image.copy()
    count = round(out.size * share)
    out.reshape(-1)[np.random.default_rng(2).choice(out.size, count, replace=False)] = value
    return out


def contrast(image, clean):
    """The part of the range from black to white that the percentiles 5 and 95 of the clean image have."""
    low, high = grey_range(image)
    begin, end = np.percentile(clean, [5, 95])
    assert low < begin and high > end
    return (end - begin) / (high - low)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_image_without_outliers_is_shown_from_the_percentile_0_1_to_99_9(dtype):
    image = noise(dtype)
    assert grey_range(image) == pytest.approx(tuple(np.percentile(image.astype(np.float64), [0.1, 99.9])), rel=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [0.002, 0.005, 0.009])
def test_hot_and_dead_pixels_leave_the_others_a_fair_part_of_the_range(dtype, share):
    clean = noise(dtype)
    for value in (0, 32767):
        assert contrast(spoilt(clean, share, value), clean) > 0.2
    random = np.random.default_rng(3).integers(0, 32767, round(clean.size * share))
    assert contrast(spoilt(clean, share, random), clean) > 0.12  # beyond both ends


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_padding_of_zeros_and_saturated_areas_may_be_of_any_size(share):
    clean = noise()
    rows = round(SIZE * share)
    for value in (0, 65535):
        image = clean.copy()
        image[:rows] = value
        assert contrast(image, clean) > 0.2
    image[: rows // 2] = 0
    assert contrast(image, clean) > 0.12


def test_a_phase_of_two_percent_far_above_the_rest_keeps_its_own_shades():
    image = noise()
    image[:8] = np.random.default_rng(4).normal(60000, 1000, (8, SIZE))
    assert grey_range(image)[1] == pytest.approx(np.percentile(image, 99.9), rel=1e-12) and grey_range(image)[1] > 60000


@pytest.mark.parametrize("values", [(0, 1), (0, 100, 110), (5, 6, 7, 8)])
def test_images_of_a_few_values_show_each_of_them(values):
    image = np.random.default_rng(5).choice(values, (SIZE, SIZE)).astype(np.uint16)
    low, high = grey_range(image)
    shown = np.clip((np.array(values) - low) / (high - low), 0, 1)
    assert (np.diff(shown) > 0.05).all()


def test_a_few_bright_pixels_on_an_even_ground_are_shown():
    image = np.zeros((SIZE, SIZE), np.uint16)
    image[3, 4:7] = 300, 500, 700
    assert grey_range(image) == (0, 700)


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_an_image_of_one_value_is_black(value):
    low, high = grey_range(np.full((5, 5), value, np.uint16))
    assert low == value and high > low


def test_eight_bits_are_shown_as_they_are():
    assert display_range(np.full((4, 4), 100, np.uint8)) == (0, 255)


@pytest.mark.parametrize(
    "image",
    [
        noise(),
        spoilt(noise("float32"), 0.005, 1e30),
        spoilt(noise(), 0.3, 0),
        np.full((9, 9), 3, np.int16),
        noise("int32"),
    ],
    ids=["clean", "hot", "padded", "constant", "int32"],
)
def test_the_sidecar_finds_the_same_range(image, tmp_path):
    pixels = image[None, ..., None]
    path = tmp_path / "image"
    path.write_bytes(pixels.tobytes())
    given = {"path": str(path), "dtype": image.dtype.name, "shape": list(pixels.shape), "version": 1}
    script = """
        import { readFileSync } from 'node:fs';
        import { greyRange } from '../../kernel-server/src/arrays/display-range';
        const image = JSON.parse(readFileSync(0, 'utf8'));
        greyRange(image).then(({ low, high }) => console.log(JSON.stringify([low, high])));
    """
    assert typescript(script, [given], tmp_path) == list(grey_range(pixels))
