"""Which axes are slices, rows, columns and channels: said by axes= and index=, guessed, or asked."""

import numpy as np
import pytest
import tifffile

from sambalab import ImageError
from sambalab.files.images import prepare

FIVE = np.random.default_rng(3).integers(0, 65536, (2, 4, 6, 40, 50), np.uint16)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((400, 500, 5), r'5 channels, or is a stack of 400 slices.*axes="YXC".*axes="ZYX"'),
        ((40, 50, 10), r"\(40, 50, 10\)"),
        ((4, 6, 40, 50), r'4 axes.*axes="CZYX" with index=\{"C": 0\}'),
        ((2, 4, 6, 40, 50), r'5 axes.*axes="TCZYX" with index=\{"T": 0, "C": 0\}'),
    ],
)
def test_an_array_whose_axes_cannot_be_guessed_is_refused_with_the_axes_that_would_do(shape, says):
    with pytest.raises(ImageError, match=says):
        prepare(np.zeros(shape, np.uint8))


def test_three_planes_in_front_are_slices_and_a_note_says_how_to_see_colours():
    image = np.random.default_rng(0).integers(0, 256, (3, 40, 50), np.uint8)
    shown = prepare(image)
    assert shown.stack and 'axes="CYX"' in shown.notes[0]
    colours = prepare(image, axes="CYX")
    np.testing.assert_array_equal(colours.pixels[0], np.moveaxis(image, 0, -1))
    assert not colours.stack and colours.notes == prepare(image, axes="ZYX").notes == ()


@pytest.mark.parametrize(
    ("axes", "index", "expected", "stack"),
    [
        ("TCZYX", {"T": 1, "C": 2}, FIVE[1, 2], True),
        ("tczyx", {"t": -1, "c": np.int64(2)}, FIVE[1, 2], True),
        ("TCZYX", {"T": 0, "C": 1, "Z": 5}, FIVE[0, 1, 5], False),
        ("TCZYX", {"T": 0, "C": [3, 0, 1], "Z": 5}, np.moveaxis(FIVE[0, [3, 0, 1], 5], 0, -1), False),
        ("TCZYX", {"T": 0, "C": [3, 0, 1]}, np.moveaxis(FIVE[0, [3, 0, 1]], 0, -1), True),
        ("TCZYX", {"T": 0, "C": 0, "Z": slice(1, None, 2)}, FIVE[0, 0, 1::2], True),
        ("TCZYX", {"C": 1, "Z": range(2, 3)}, FIVE[:, 1, 2], True),
        ("TZQXY", {"T": 0, "Z": 3}, FIVE[0, 3].swapaxes(1, 2), True),
    ],
)
def test_axes_and_index_choose_slices_and_channels(axes, index, expected, stack):
    image = prepare(FIVE, axes=axes, index=index)
    shown = image.pixels if image.stack else image.pixels[0]
    assert image.stack is stack
    np.testing.assert_array_equal(shown if shown.ndim == expected.ndim else shown[..., 0], expected)


@pytest.mark.parametrize(
    ("axes", "index", "says"),
    [
        ("TCZYX", None, r'axes T, Z of slices and 4 channels: its shape .* are TCZYX.*index=\{"T": 0, "C": 0\}'),
        ("TCZYX", {"T": 0}, r'4 channels.*index=\{"C": 0\} chooses, or index=\{"C": \[0, 1, 2\]\} for three'),
        ("CTZYX", {"T": 0}, r'2 channels.*index=\{"C": 0\}'),
        ("TCZYX", {"C": 0}, r'axes T, Z of slices.*index=\{"T": 0\}'),
        ("CSZYX", None, r"axes C, S of channels"),
        ("CZYX", None, r"axes='CZYX' does not fit the shape \(2, 4, 6, 40, 50\)"),
        ("TTZYX", None, "5 different letters"),
        ("TCZYQ", None, "with Y and X"),
        ("T,ZYX", None, "a letter for each axis"),
        (5, None, "axes is 5"),
        ("TCZYX", {"T": 2, "C": 0}, r"index is 2 for T; 0 to 1"),
        ("TCZYX", {"T": [], "C": 0}, r"index is \[\] for T"),
        ("TCZYX", {"T": "0", "C": 0}, r"index is '0' for T"),
        ("TCZYX", {"T": 0.5, "C": 0}, r"index is 0\.5 for T"),
        ("TCZYX", {"Y": 0}, r"along 'Y'; axes that can be chosen along are T, C, Z"),
        ("TCZYX", {"time": 0}, r"along 'time'"),
        ("TCZYX", 3, "index is 3; a mapping"),
    ],
)  # fmt: skip
def test_wrong_axes_and_index_are_named_with_those_that_would_do(axes, index, says):
    with pytest.raises(ImageError, match=says):
        prepare(FIVE, axes=axes, index=index)


def test_a_files_channels_are_asked_for_and_axes_overrides_them(tmp_path):
    path = tmp_path / "two-channels.ome.tif"
    tifffile.imwrite(path, FIVE[0, :2, 0], ome=True, metadata={"axes": "CYX"}, photometric="minisblack")
    with pytest.raises(
        ImageError, match=r"2 channels: its shape is \(2, 40, 50\), its axes are CYX.*axes='ZYX' shows them"
    ):
        prepare(path)
    np.testing.assert_array_equal(prepare(path, index={"C": 1}).pixels[0, ..., 0], FIVE[0, 1, 0])
    assert prepare(path, axes="ZYX").shape == (2, 40, 50)


def test_colours_other_than_grey_rgb_cmyk_and_palettes_are_named(tmp_path):
    lab = np.zeros((20, 30, 3), np.uint8)
    tifffile.imwrite(tmp_path / "lab.tif", lab, photometric="cielab")
    with pytest.raises(ImageError, match=r"colours of the kind CIELAB; .*Save it as RGB"):
        prepare(tmp_path / "lab.tif")


@pytest.mark.parametrize("series", [2, -1, True, "0"])
def test_a_series_that_is_not_there_is_refused_with_those_that_are(series, tmp_path):
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(np.zeros((4, 6), np.uint8), photometric="minisblack", metadata=None)
        file.write(np.zeros((40, 60), np.uint8), photometric="minisblack", metadata=None)
    with pytest.raises(ImageError, match=rf"series is {series!r}; the file has 0 \(4 × 6\), 1 \(40 × 60\)"):
        prepare(path, series=series)
    with pytest.raises(ImageError, match="series is 0.*no path"):
        prepare(np.zeros((4, 4)), series=0)


def test_transparent_files_are_refused_with_what_leaves_the_alpha_out(tmp_path):
    image = np.full((20, 30, 4), 9, np.uint8)
    tifffile.imwrite(tmp_path / "rgba.tif", image, photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(ImageError, match=r'values from 9 to 9, not 255 everywhere.*index=\{"S": \[0, 1, 2\]\}'):
        prepare(tmp_path / "rgba.tif")
    assert prepare(tmp_path / "rgba.tif", index={"S": [0, 1, 2]}).pixels.shape == (1, 20, 30, 3)


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (2, {"photometric": "minisblack", "extrasamples": ["unspecified"]}),
        (4, {"photometric": "minisblack", "extrasamples": ["unspecified"] * 3}),
        (4, {"photometric": "minisblack", "extrasamples": ["unassalpha", "unspecified", "unspecified"]}),
        (5, {"photometric": "rgb", "extrasamples": ["unassalpha", "unspecified"]}),
    ],
)
def test_samples_that_are_no_colours_and_no_alpha_are_channels_to_choose_from(samples, options, tmp_path):
    path = tmp_path / "samples.tif"
    image = np.full((20, 30, samples), 255, np.uint8)
    image[..., -1] = np.arange(30)
    tifffile.imwrite(path, image, planarconfig="contig", **options)
    with pytest.raises(ImageError, match=rf"{samples} channels.*axes are YXC"):
        prepare(path)
    np.testing.assert_array_equal(prepare(path, index={"C": -1}).pixels[0, ..., 0], image[..., -1])


def test_images_of_pillow_are_shown_by_their_colours():
    from PIL import Image as Pillow

    grey = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    picture = Pillow.fromarray(grey)
    palette = picture.copy()
    palette.putpalette(np.repeat(np.arange(255, -1, -1, dtype=np.uint8), 3).tolist())
    np.testing.assert_array_equal(prepare(picture).pixels[0, ..., 0], grey)
    np.testing.assert_array_equal(prepare(palette).pixels[0, ..., 0], 255 - grey)
    assert prepare(picture.convert("CMYK")).pixels.shape == (1, 20, 30, 3)
    assert prepare([picture, palette]).shape == (2, 20, 30)
