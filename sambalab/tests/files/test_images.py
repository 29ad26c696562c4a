"""Which values are images, and the errors for other values."""

import os
import re
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from sambalab import ImageError
from sambalab.files.images import display_range, prepare


@pytest.mark.parametrize(
    ("shape", "pixels", "labels", "stack"),
    [
        ((5, 7), (1, 5, 7, 1), (5, 7), False),
        ((5, 7, 3), (1, 5, 7, 3), (5, 7), False),
        ((4, 5, 7), (4, 5, 7, 1), (4, 5, 7), True),
        ((1, 1), (1, 1, 1, 1), (1, 1), False),
        ((1, 5, 7), (1, 5, 7, 1), (1, 5, 7), True),
        ((2, 5, 7, 3), (2, 5, 7, 3), (2, 5, 7), True),
        ((40, 50, 1), (1, 40, 50, 1), (40, 50), False),
        ((5, 400, 500), (5, 400, 500, 1), (5, 400, 500), True),
        ((3, 40, 50), (3, 40, 50, 1), (3, 40, 50), True),
    ],
)
def test_the_last_axis_of_three_is_colour_and_other_third_axes_make_a_stack(shape, pixels, labels, stack):
    image = prepare(np.zeros(shape, np.uint8))
    assert image.pixels.shape == pixels
    assert image.shape == labels
    assert image.stack is stack


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("uint8", "uint8"),
        ("int8", "int16"),
        (">u2", "uint16"),
        ("int16", "int16"),
        (">i4", "int32"),
        ("uint32", "uint32"),
        ("int64", "int32"),
        ("uint64", "uint32"),
        ("float16", "float32"),
        (">f4", "float32"),
        ("float64", "float64"),
        ("longdouble", "float64"),
    ],
)
def test_every_real_dtype_keeps_its_values(given, kept):
    values = np.array([[0, 1], [100, 17]], given)
    pixels = prepare(values).pixels
    assert pixels.dtype == np.dtype(kept) and pixels.dtype.isnative
    np.testing.assert_array_equal(pixels[0, ..., 0], values.astype(kept))


def test_integers_of_64_bits_that_do_not_fit_become_float64():
    pixels = prepare(np.array([[0, 2**40]])).pixels
    assert pixels.dtype == np.float64 and pixels.max() == 2**40


def test_booleans_become_black_and_white():
    np.testing.assert_array_equal(prepare(np.array([[True, False]])).pixels.ravel(), [255, 0])


@pytest.mark.parametrize("dtype", ["complex64", "object", "U3", "datetime64[s]"])
def test_a_dtype_of_other_than_real_numbers_is_named(dtype):
    with pytest.raises(ImageError, match=r"dtype .*" + dtype.split("[")[0].replace("U3", "U3")):
        prepare(np.zeros((4, 4), dtype))


def test_nan_and_infinity_are_counted():
    image = np.zeros((10, 10), np.float32)
    image[0, :3] = np.nan
    image[1, :2] = -np.inf
    with pytest.raises(ImageError, match=r"3 of 100 values are NaN and 2 are infinite.*nan_to_num"):
        prepare(image)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0,), (2, 0, 3)])
def test_an_empty_image_is_refused(shape):
    with pytest.raises(ImageError, match="empty"):
        prepare(np.zeros(shape))


@pytest.mark.parametrize("shape", [(), (9,), (2, 3, 4, 5), (1, 2, 8, 8, 3)])
def test_a_wrong_number_of_axes_is_refused_with_the_shapes_that_would_do(shape):
    with pytest.raises(ImageError, match=r"\(rows, columns, 3\)"):
        prepare(np.ones(shape))


def test_an_alpha_channel_that_is_not_opaque_is_refused_with_what_to_do():
    with pytest.raises(ImageError, match=r"\[0, 1, 2\].*image\[\.\.\., :3\]"):
        prepare(np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(ImageError, match=r"image\[\.\.\., 0\]"):
        prepare(np.zeros((8, 8, 2), np.uint16))


def test_an_opaque_alpha_channel_of_an_array_is_dropped():
    image = np.full((8, 8, 4), 255, np.uint8)
    image[..., :3] = 7
    assert prepare(image).pixels.shape == (1, 8, 8, 3) and prepare(image).pixels.max() == 7
    assert prepare(np.ones((8, 8, 4), np.float32)).pixels.shape == (1, 8, 8, 3)
    assert prepare(np.zeros((8, 8, 4), np.uint8), index={"S": [0, 1, 2]}).pixels.shape == (1, 8, 8, 3)


def test_none_is_refused_as_an_image():
    with pytest.raises(ImageError, match="None"):
        prepare(None)


def test_ragged_lists_are_refused():
    with pytest.raises(ImageError, match="list"):
        prepare([[1, 2], [3]])


def test_masked_pixels_are_refused_and_counted():
    with pytest.raises(ImageError, match="1 pixels are masked"):
        prepare(np.ma.masked_array(np.zeros((3, 3)), mask=np.eye(3) * [1, 0, 0]))


def test_an_object_with_array_is_read():
    class Holder:
        def __array__(self, dtype=None, copy=None):
            return np.full((3, 4), 7, np.uint16)

    assert prepare(Holder()).pixels.max() == 7


def test_files_are_read_with_their_depth(tmp_path):
    deep = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 100
    tifffile.imwrite(tmp_path / "deep.tif", deep)
    tifffile.imwrite(tmp_path / "stack.tiff", np.stack([deep, deep + 1, deep, deep]), photometric="minisblack")
    Pillow.fromarray(deep).save(tmp_path / "deep.png")
    Pillow.fromarray(np.full((6, 5, 4), 255, np.uint8)).save(tmp_path / "opaque.png")
    np.testing.assert_array_equal(prepare(tmp_path / "deep.tif").pixels[0, ..., 0], deep)
    assert prepare(tmp_path / "stack.tiff").pixels.shape == (4, 20, 30, 1)
    np.testing.assert_array_equal(prepare(str(tmp_path / "deep.png")).pixels[0, ..., 0], deep)
    assert prepare(tmp_path / "opaque.png").pixels.shape == (1, 6, 5, 3)
    assert prepare(tmp_path / "deep.tif").title == "deep.tif"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match="There is no file .*nowhere.png"):
        prepare(tmp_path / "nowhere.png")


def test_a_folder_is_refused_as_an_image(tmp_path):
    with pytest.raises(ImageError, match="a folder, not a file"):
        prepare(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_refused_by_name_without_being_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    with pytest.raises(ImageError, match=r"pipe\.tif is not a file but a named pipe"):
        prepare(tmp_path / "pipe.tif")
    with pytest.raises(ImageError, match=r"endless\.png is not a file but a device"):
        prepare(tmp_path / "endless.png")


def test_an_eps_is_not_handed_to_ghostscript_whatever_its_name(tmp_path):
    (tmp_path / "bin").mkdir()
    ghostscript = tmp_path / "bin/gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    eps = tmp_path / "drawing.png"
    eps.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    script = f"import sambalab.files.images as images; images.prepare({str(eps)!r})"
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert "drawing.png cannot be read as an image: its content is none of TIFF" in done.stderr
    assert not (tmp_path / "started").exists()


def test_a_png_of_16384_squared_opens_and_pillows_own_limit_stays(tmp_path):
    before = Pillow.MAX_IMAGE_PIXELS
    path = tmp_path / "large.png"
    Pillow.new("L", (16384, 16384), 9).save(path, compress_level=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = prepare(path)
    assert image.shape == (16384, 16384) and image.pixels[0, -1, -1, 0] == 9
    assert before == Pillow.MAX_IMAGE_PIXELS


def test_an_image_with_more_pixels_than_the_limit_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    Pillow.new("L", (1, 1)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 40_000, 40_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"40,000 × 40,000 pixels; up to 1,073,741,824"):
        prepare(path)


@pytest.mark.parametrize("name", ["text.png", "text.tif"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_text("This is no image. " * 100)
    with pytest.raises(ImageError, match=f"{name} cannot be read as an image"):
        prepare(tmp_path / name)


DAMAGED = {
    "zlib": "DeflateError: ",
    "lzw": "ImcdError: ",
    "zstd": "ZstdError: ",
    "jpeg": "Jpeg8Error: ",
    "lzma": "LzmaError: ",
}


@pytest.mark.parametrize("compression", list(DAMAGED))
@pytest.mark.parametrize("tile", [(64, 64), None])
def test_a_damaged_tile_is_named_by_file_page_and_place(tmp_path, compression, tile):
    path = tmp_path / "damaged.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (2, 300, 400)).astype(np.uint8)
    strips = {"tile": tile} if tile else {"rowsperstrip": 50}
    tifffile.imwrite(path, pixels, compression=compression, photometric="minisblack", **strips)
    with tifffile.TiffFile(path) as file:
        at = file.pages[1].dataoffsets[3]
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 60)
    with pytest.raises(ImageError) as raised:
        prepare(path).info()
    place = "rows 0 to 63, columns 192 to 255" if tile else "rows 150 to 199"
    assert str(raised.value).startswith(
        f"{path} cannot be read as an image: page 1 ({place}, counted from 0) is damaged, or stored in a way that is not read. "
        f"Copy, download or export the file again. ({DAMAGED[compression]}"
    )


@pytest.mark.parametrize(
    "name", ["a.png", "deep.png", "a.jpg", "a.webp", "a.jp2", "a.gif", "a.bmp", "a.ppm", "a.npy", "a.zarr"]
)
def test_a_damaged_file_is_named_with_what_would_do_and_the_words_of_its_library(tmp_path, name):
    path = tmp_path / name
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.uint8)
    if name == "a.zarr":
        zarr = pytest.importorskip("zarr")
        zarr.open(str(path), mode="w", shape=pixels.shape, chunks=(64, 64), dtype="u1")[:] = pixels
        damaged = max((each for each in path.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
        damaged.write_bytes(b"\xff" * 60)
    elif name == "a.npy":
        np.save(path, pixels)
        path.write_bytes(path.read_bytes().replace(b"fortran", b"FORTRAN"))
    else:
        Pillow.fromarray(pixels.astype(np.uint16) * 200 if name == "deep.png" else pixels).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    form = (
        r"it is damaged, or stored in a way that is not read\. Copy, download or export the file again\. \(\w+: .+\)$"
    )
    with pytest.raises(ImageError, match=rf"{re.escape(str(path))} cannot be read as an image: {form}"):
        prepare(path).info()


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((4, 4)))
    monkeypatch.setattr(np, "load", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(ImageError, match=r"a\.npy cannot be read as an image: .*Permission denied$"):
        prepare(tmp_path / "a.npy")


CUT = {
    "plain": {},
    "deflate": {"compression": "zlib"},
    "strips": {"compression": "lzw", "rowsperstrip": 9},
    "jpeg": {"compression": "jpeg"},
    "tiles": {"tile": (64, 64)},
    "pages": {"metadata": None},
    "pages-deflate": {"metadata": None, "compression": "zlib", "bigtiff": True, "byteorder": ">"},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
}


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("kind", CUT)
def test_a_tiff_that_is_cut_short_says_so_with_its_bytes_and_logs_nothing(tmp_path, caplog, kind, slices):
    path = tmp_path / "cut.tif"
    noise = np.random.default_rng(0).integers(0, 256, (slices, 200, 200), np.uint8)
    tifffile.imwrite(path, noise, photometric="minisblack", **CUT[kind])
    content = path.read_bytes()
    for part in (0.0002, 0.002, 0.01, 0.1, 0.3, 0.5, 0.6, 0.8, 0.95, 0.99):
        size = max(8, int(len(content) * part))
        path.write_bytes(content[:size])
        with pytest.raises(ImageError) as caught:
            prepare(path)
        form = r"\S+cut\.tif is cut short: it has ([\d,]+) bytes, and its content needs at least ([\d,]+)\."
        found = re.match(form, str(caught.value))
        assert found, (part, str(caught.value))
        has, needed = (int(number.replace(",", "")) for number in found.groups())
        assert has == size < needed <= len(content)
    assert caplog.text == ""


def test_tifffiles_log_lines_of_the_users_own_calls_remain(tmp_path, caplog):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, np.zeros((3, 40, 40), np.uint8), photometric="minisblack")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ImageError, match="cut short"):
        prepare(path)
    assert caplog.text == ""
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    assert "invalid page offset" in caplog.text


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_an_npy_that_is_cut_short_says_so_with_its_bytes(tmp_path, version):
    path = tmp_path / "cut.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.zeros((40, 50), np.uint16), version=version)
    whole = path.stat().st_size
    os.truncate(path, whole - 100)
    with pytest.raises(
        ImageError, match=rf"cut\.npy is cut short: it has {whole - 100:,} bytes, and its content needs {whole:,}\."
    ):
        prepare(path)


def test_a_truncated_png_is_refused(tmp_path):
    path = tmp_path / "cut.png"
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(ImageError, match=r"cut\.png cannot be read"):
        prepare(path)


def test_the_digest_depends_on_pixels_dtype_and_shape_alone():
    image = np.arange(24, dtype=np.uint16).reshape(4, 6)
    digest = prepare(image).digest()
    assert len(digest) == 64
    assert prepare(np.asfortranarray(image)).digest() == digest
    assert prepare(image.astype(">u2")).digest() == digest
    assert prepare(image.reshape(6, 4)).digest() != digest
    assert prepare(image.astype(np.int16)).digest() != digest
    changed = image.copy()
    changed[3, 5] += 1
    assert prepare(changed).digest() != digest


def test_the_display_range_of_8_bits_is_fixed_and_else_follows_the_values():
    assert display_range(np.full((1, 2, 2, 1), 9, np.uint8)) == (0, 255)
    ramp = np.linspace(100, 200, 100_001, dtype=np.float32).reshape(1, 1, -1, 1)
    low, high = display_range(ramp)
    assert low == pytest.approx(100.1, abs=0.01) and high == pytest.approx(199.9, abs=0.01)


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_the_display_range_of_a_constant_image_is_not_empty(value):
    low, high = display_range(np.full((1, 3, 3, 1), value, np.uint16))
    assert np.float32(low) < np.float32(high)


def test_one_bright_pixel_in_a_constant_image_can_be_seen():
    image = np.zeros((1, 100, 100, 1), np.float64)
    image[0, 50, 50, 0] = 1e-6
    low, high = display_range(image)
    assert low < high <= 1e-6


def test_an_empty_path_is_refused():
    with pytest.raises(ImageError, match=r"The path is empty\."):
        prepare("")


def test_values_beyond_single_precision_are_refused():
    with pytest.raises(ImageError, match=r"largest value is 1e\+39.*single precision"):
        prepare(np.array([[1.0, -1e39]]))
