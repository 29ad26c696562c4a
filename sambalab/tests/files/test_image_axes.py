"""Which axes are slices, rows, columns and channels: said by axes= and index=, guessed, or asked."""

import re

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
        ("TCZYX", None, r'2 times, 4 channels and 6 slices of 40 × 50 .*axes TCZYX.*axes="TCZYX", index=\{"T": 0, "C": 0\}\)'),
        ("TCZYX", {"T": 0}, r'4 channels.*index=\{"T": 0, "C": 0\}\).*index=\{"T": 0, "C": \[0, 1, 2\]\}\) +# three channels'),
        ("CTZYX", {"t": 0}, r'2 channels.*index=\{"T": 0, "C": 0\}\)'),
        ("TCZYX", {"C": [1]}, r'2 times and 6 slices.*index=\{"C": \[1\], "T": 0\}\).*index=\{"C": \[1\], "Z": 0\}\)'),
        ("CSZYX", None, r"2 channels, 4 colours and 6 slices"),
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
    with pytest.raises(ImageError, match=f"(?s){says}"):
        prepare(FIVE, axes=axes, index=index)


def test_a_files_channels_are_asked_for_and_axes_overrides_them(tmp_path):
    path = tmp_path / "two-channels.ome.tif"
    tifffile.imwrite(path, FIVE[0, :2, 0], ome=True, metadata={"axes": "CYX"}, photometric="minisblack")
    with pytest.raises(
        ImageError, match=r'(?s)2 channels .*\(shape \(2, 40, 50\), axes CYX\).*axes="ZYX"\) +# a stack of 2'
    ):
        prepare(path)
    np.testing.assert_array_equal(prepare(path, index={"C": 1}).pixels[0, ..., 0], FIVE[0, 1, 0])
    assert prepare(path, axes="ZYX").shape == (2, 40, 50)


def shown_by_suggestions(error, image=None):
    """Run the calls that an error suggests. Gives what each says that it shows, and the shape of the pixels."""
    suggested = re.findall(r"^  sl\.Labeller\((.*)\) +# (.*)$", str(error), re.MULTILINE)
    return {says: eval(f"prepare({call})", {"prepare": prepare, "image": image}).full_shape for call, says in suggested}


def axes_file(path, shape, axes):
    tifffile.imwrite(path, np.zeros(shape, np.uint8), photometric="minisblack", metadata={"axes": axes} if axes else {})
    return path


@pytest.mark.parametrize(
    ("shape", "axes", "says", "shows"),
    [
        (
            (2, 5, 4, 40, 50),
            "TZCYX",
            r"2 times, 5 slices and 4 channels of 40 × 50 pixels \(shape \(2, 5, 4, 40, 50\), axes TZCYX\)",
            {
                "the first time and the first channel: a stack of 5 slices": (5, 40, 50, 1),
                "three channels as red, green and blue": (5, 40, 50, 3),
                "the first slice and the first channel: a stack of 2 times": (2, 40, 50, 1),
            },
        ),
        (
            (2, 5, 3, 40, 50),
            "TZCYX",
            "2 times, 5 slices and 3 channels",
            {
                "the first time: a stack of 5 slices": (5, 40, 50, 3),
                "the first slice: a stack of 2 times": (2, 40, 50, 3),
            },
        ),
        (
            (2, 40, 50),
            "CYX",
            "2 channels",
            {"the first channel": (1, 40, 50, 1), "a stack of 2 slices": (2, 40, 50, 1)},
        ),
    ],
)
def test_a_file_of_many_axes_says_what_it_has_and_which_calls_show_it(shape, axes, says, shows, tmp_path):
    with pytest.raises(ImageError, match=rf"^cells\.tif has {says}") as caught:
        prepare(axes_file(tmp_path / "cells.tif", shape, axes))
    assert shown_by_suggestions(caught.value) == shows
    assert f'sl.Labeller("{tmp_path}/cells.tif", index=' in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "axes", "says", "shows"),
    [
        (
            (5, 40, 50),
            "KYX",
            r"axis K \(row\) of length 5 is \(shape \(5, 40, 50\), axes KYX\)",
            {
                "a stack of 5 slices": (5, 40, 50, 1),
                "the first of 5 channels": (1, 40, 50, 1),
                "the first along K": (1, 40, 50, 1),
            },
        ),
        (
            (40, 50, 3),
            "YXV",
            r"axis V \(event\) of length 3",
            {"a stack of 3 slices": (3, 40, 50, 1), "in colour": (1, 40, 50, 3), "the first along V": (1, 40, 50, 1)},
        ),
        (
            (5, 4, 40, 50),
            "RCYX",
            r"axis R \(tile\)",
            {"a stack of 5 slices": (5, 40, 50, 1), "the first along R": (1, 40, 50, 1)},
        ),
        (
            (4, 5, 40, 50),
            "AZYX",
            r"axis A \(angle\)",
            {
                "a stack of 5 slices": (5, 40, 50, 1),
                "the first of 4 channels": (5, 40, 50, 1),
                "the first along A": (5, 40, 50, 1),
            },
        ),
        (
            (2, 5, 40, 50),
            "PRYX",
            r"axis P \(phase\) of length 2 and its axis R \(tile\) of length 5 are",
            {"a stack of 5 slices": (5, 40, 50, 1), "the first along P and R": (1, 40, 50, 1)},
        ),
        ((2, 5, 40, 50), "", r"axis Q \(pages\) of length 2 and its axis Q", {"a stack of 5 slices": (5, 40, 50, 1)}),
        ((2, 4, 5, 40, 50), "", "axes QQQYX", {"a stack of 5 slices": (5, 40, 50, 1)}),
        ((2, 3, 4, 5, 40, 50), "", "axes QQQQYX", {"a stack of 5 slices": (5, 40, 50, 1)}),
        (
            (40, 50, 3),
            "",
            "axes QYX",
            {
                "40 × 50 pixels, with colours in the last axis": (1, 40, 50, 3),
                "a stack of 40 slices": (40, 50, 3, 1),
                "the first of 40 channels": (1, 50, 3, 1),
                "the first along Q": (1, 50, 3, 1),
            },
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else None,
)  # fmt: skip
def test_axes_of_a_file_that_are_not_known_are_asked_for_with_calls_that_would_do(shape, axes, says, shows, tmp_path):
    with pytest.raises(ImageError, match=rf"^cells\.tif does not say what its .*{says}") as caught:
        prepare(axes_file(tmp_path / "cells.tif", shape, axes))
    assert shown_by_suggestions(caught.value) == shows


def test_an_axis_of_a_file_that_is_not_known_does_not_matter_where_one_place_is_chosen_or_there(tmp_path):
    assert prepare(axes_file(tmp_path / "five.tif", (5, 40, 50), "KYX"), index={"K": 2}).full_shape == (1, 40, 50, 1)
    one = prepare(axes_file(tmp_path / "one.tif", (1, 40, 50), "KYX"))
    assert one.full_shape == (1, 40, 50, 1) and one.notes == ()
    with pytest.raises(ImageError, match="axis K"):
        prepare(tmp_path / "five.tif", index={"K": [0, 1]})


def test_more_pages_than_there_may_be_channels_are_slices_without_a_note(tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((20, 40, 50), np.uint8), photometric="minisblack", metadata={})
    image = prepare(path)
    assert image.shape == (20, 40, 50) and image.notes == ()


@pytest.mark.parametrize("metadata", [{}, None])
@pytest.mark.parametrize("count", [3, 5])
def test_pages_of_which_a_file_says_nothing_are_slices_and_a_note_says_so(tmp_path, metadata, count):
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, np.zeros((count, 40, 50), np.uint8), photometric="minisblack", metadata=metadata)
    image = prepare(path)
    assert image.stack and image.shape == (count, 40, 50)
    assert image.notes == (
        f"The file does not say what its {count} pages are; they are shown as slices. "
        'axes="ZYX" confirms it; axes="CYX" makes them channels.',
    )
    assert prepare(path, axes="ZYX").notes == ()
    assert prepare(path, axes="QYX").shape == (count, 40, 50)  # the user's own letters are slices
    assert not prepare(path, index={"I" if metadata is None else "Q": 0}).notes


def test_pages_that_are_a_few_pixels_wide_are_asked_for_as_those_of_an_array(tmp_path):
    with pytest.raises(ImageError, match=r'5 channels, or is a stack of 400 slices.*axes="YXC"'):
        prepare(axes_file(tmp_path / "wide.tif", (400, 500, 5), ""))


def test_dimensions_that_are_not_known_are_asked_for_by_name():
    xarray = pytest.importorskip("xarray")
    image = xarray.DataArray(np.zeros((5, 40, 50)), dims=("wavelength", "y", "x"))
    with pytest.raises(
        ImageError, match=r"^The image does not say what its axis \w \(wavelength\) of length 5"
    ) as caught:
        prepare(image)
    assert set(shown_by_suggestions(caught.value, image).values()) == {(5, 40, 50, 1), (1, 40, 50, 1)}


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


@pytest.mark.parametrize("name", ["palette.png", "palette.gif"])
def test_palettes_with_transparent_pixels_are_refused_with_what_leaves_them_out(tmp_path, name):
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30) % 7, "P")
    picture.putpalette([value for number in range(256) for value in (number, 0, 255 - number)])
    picture.save(tmp_path / name, transparency=3)
    with pytest.raises(ImageError, match=r"87 of 600 pixels are transparent.*convert\('RGB'\)"):
        prepare(tmp_path / name)


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
    with pytest.raises(ImageError, match=rf"{samples} channels.*axes YXC"):
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
