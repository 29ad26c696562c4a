"""Image files of many kinds: what each shows, with the pixels of a reference reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image as Pillow
from PIL import ImageOps

from sambalab.files.images import blocks, image, prepare
from sambalab.files.images.readers import tiff_pages

RANDOM = np.random.default_rng(7)
ROWS, COLUMNS = 48, 64
GREY = RANDOM.integers(0, 256, (ROWS, COLUMNS), np.uint8)
DEEP = RANDOM.integers(0, 65536, (ROWS, COLUMNS), np.uint16)
SMOOTH = np.add.outer(np.arange(ROWS), np.arange(COLUMNS)).astype(np.uint8) * 2
RGB = RANDOM.integers(0, 256, (ROWS, COLUMNS, 3), np.uint8)
RGB16 = RANDOM.integers(0, 65536, (ROWS, COLUMNS, 3), np.uint16)
SOFT = np.stack([SMOOTH, SMOOTH[::-1], SMOOTH[:, ::-1]], axis=-1)
STACK = RANDOM.integers(0, 65536, (5, ROWS, COLUMNS), np.uint16)
BITS = GREY > 127
COLOURS = RANDOM.integers(0, 256, (3, 256), np.uint8)


def opaque(colours: np.ndarray) -> np.ndarray:
    top = np.full((*colours.shape[:2], 1), np.iinfo(colours.dtype).max, colours.dtype)
    return np.concatenate([colours if colours.ndim == 3 else colours[..., None], top], axis=-1)


class Kind(NamedTuple):
    """A file: how it is written, how the reference reader reads it, and what is shown."""

    name: str
    write: Callable[[Path], Any]
    #: Pixels (rows, columns), (rows, columns, 3), (slices, rows, columns) or (slices, rows, columns, 3).
    reference: Callable[[Path], np.ndarray]
    stack: bool = False
    #: Part of a note to the user; empty: none.
    note: str = ""
    given: dict[str, Any] = {}  # noqa: RUF012 (read only)
    size: tuple[float, str] | None = None


def tiff(name: str, pixels: np.ndarray, reference: Any = None, **options: Any) -> Kind:
    shown = {key: options.pop(key) for key in ("stack", "note", "given", "size") if key in options}
    options.setdefault("photometric", "minisblack")
    return Kind(name, lambda path: tifffile.imwrite(path, pixels, **options), reference or tifffile.imread, **shown)


def picture(name: str, image: Pillow.Image, mode: str | None = None, note: str = "", **options: Any) -> Kind:
    return Kind(name, lambda path: image.save(path, **options), by_pillow(mode), note=note)


def by_pillow(mode: str | None = None, upright: bool = False) -> Callable[[Path], np.ndarray]:
    def read(path: Path) -> np.ndarray:
        with Pillow.open(path) as opened:
            turned = ImageOps.exif_transpose(opened) if upright else opened
            return np.asarray(turned.convert(mode) if mode else turned)

    return read


def grey_of(read: Callable[[Path], np.ndarray]) -> Callable[[Path], np.ndarray]:
    return lambda path: read(path)[..., 0]


def pages(*images: np.ndarray, **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with tifffile.TiffWriter(path) as file:
            for image in images:
                file.write(image, **{"photometric": "minisblack", "metadata": None, **options})

    return write


def pyramid(path: Path) -> None:
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        options = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
        file.write(DEEP, subifds=2, **options)
        file.write(DEEP[::2, ::2], subfiletype=1, **options)
        file.write(DEEP[::4, ::4], subfiletype=1, **options)


def two_ome_images(path: Path) -> None:
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(DEEP[:20, :30], photometric="minisblack", metadata={"axes": "YX"})
        file.write(
            STACK, photometric="minisblack", metadata={"axes": "ZYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
        )


def oriented(path: Path) -> None:
    tifffile.imwrite(path, GREY, photometric="minisblack", extratags=[(274, "H", 1, 6, True)])


def ome_zarr(path: Path) -> None:
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    for level in range(2):
        part = STACK[None, None, :, :: 1 << level, :: 1 << level]
        group.create_array(str(level), data=part, chunks=(1, 1, 2, 16, 16))
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    datasets = [
        {"path": str(n), "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 10, 2 << n, 2 << n]}]}
        for n in range(2)
    ]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]


def palette_picture(colours: np.ndarray) -> Pillow.Image:
    image = Pillow.fromarray(GREY, "L").copy()
    image.putpalette(colours.T.ravel().tolist())
    return image


def exif(orientation: int) -> Pillow.Exif:
    tags = Pillow.Exif()
    tags[274] = orientation
    return tags


PAGES = r"does not say what its \d pages are; they are shown as slices"
GREYS = np.tile(np.arange(255, -1, -1, dtype=np.uint8), (3, 1))
FRAMES = [Pillow.fromarray(GREY), Pillow.fromarray(SMOOTH)]

KINDS = [
    # TIFF: dtypes
    tiff("grey.tif", GREY),
    tiff("grey-16.tif", DEEP),
    tiff("big-endian.tif", DEEP, byteorder=">"),
    tiff("signed.tif", DEEP.view(np.int16)),
    tiff("float.tif", DEEP.astype(np.float32) / 7),
    tiff("bits.tif", BITS, lambda path: tifffile.imread(path) * np.uint8(255)),
    Kind("packed-12.tif", lambda path: tifffile.imwrite(path, DEEP >> 4, bitspersample=12), tifffile.imread),
    # TIFF: compression
    tiff("lzw.tif", DEEP, compression="lzw", predictor=True),
    tiff("deflate.tif", DEEP, compression="zlib"),
    tiff("zstd.tif", DEEP, compression="zstd", rowsperstrip=7),
    tiff("packbits.tif", SMOOTH, compression="packbits"),
    tiff("jpeg.tif", SMOOTH, compression="jpeg"),
    tiff("jpeg-colour.tif", SOFT, compression="jpeg", photometric="rgb", tile=(16, 32)),
    Kind(
        "jpeg-tables.tif",  # libtiff writes the tables of all strips once
        lambda path: Pillow.fromarray(SMOOTH).save(path, compression="jpeg", tiffinfo={278: 16}),
        tifffile.imread,
    ),
    tiff("jpeg-2000.tif", DEEP, compression="jpeg2000"),
    # TIFF: colours
    tiff("rgb.tif", RGB, photometric="rgb"),
    tiff("rgb-16.tif", RGB16, photometric="rgb", compression="zlib"),
    tiff(
        "planar.tif",
        np.moveaxis(RGB, -1, 0),
        lambda path: np.moveaxis(tifffile.imread(path), 0, -1),
        photometric="rgb",
        planarconfig="separate",
    ),
    tiff("rgba.tif", opaque(RGB), by_pillow("RGB"), photometric="rgb", extrasamples=["unassalpha"]),
    tiff(
        "rgba-16.tif",
        opaque(RGB16),
        lambda path: tifffile.imread(path)[..., :3],
        photometric="rgb",
        extrasamples=["unassalpha"],
    ),
    tiff(
        "grey-alpha.tif",
        opaque(GREY),
        lambda path: tifffile.imread(path)[..., 0],
        extrasamples=["unassalpha"],
        planarconfig="contig",
    ),
    tiff("white-is-0.tif", GREY, by_pillow("L"), photometric="miniswhite"),
    tiff("white-is-0-16.tif", DEEP, lambda path: 65535 - tifffile.imread(path), photometric="miniswhite"),
    tiff(
        "white-is-0-alpha.tif",
        opaque(GREY),
        lambda path: 255 - tifffile.imread(path)[..., 0],
        photometric="miniswhite",
        extrasamples=["unassalpha"],
        planarconfig="contig",
    ),
    tiff(
        "white-is-0-bits.tif",
        BITS,
        lambda path: np.asarray(Pillow.open(path)) * np.uint8(255),
        photometric="miniswhite",
    ),
    tiff("palette.tif", GREY, by_pillow("RGB"), photometric="palette", colormap=COLOURS.astype(np.uint16) * 257),
    tiff(
        "grey-palette.tif",
        GREY,
        grey_of(by_pillow("RGB")),
        photometric="palette",
        colormap=GREYS.astype(np.uint16) * 257,
    ),
    tiff(
        "palette-of-8-bits.tif",
        GREY,
        lambda path: COLOURS.T[tifffile.imread(path)],
        photometric="palette",
        colormap=COLOURS.astype(np.uint16),
    ),
    picture("cmyk.tif", Pillow.fromarray(RGB).convert("CMYK"), "RGB"),
    picture("ycbcr.tif", Pillow.fromarray(SOFT).convert("YCbCr"), "RGB"),
    # TIFF: several pages, images, axes
    tiff("stack.tif", STACK, stack=True, note=PAGES),
    tiff("big.tif", STACK, stack=True, note=PAGES, bigtiff=True, compression="zlib"),
    tiff("colour-stack.tif", np.stack([RGB, RGB[::-1]]), stack=True, note=PAGES, photometric="rgb"),
    Kind(
        "page-by-page.tif",
        pages(*STACK, metadata={}, compression="zlib"),
        lambda path: tifffile.imread(path, key=slice(None)),
        stack=True,
        note=PAGES,
    ),
    Kind("pyramid.tif", pyramid, lambda path: tifffile.imread(path, level=0)),
    Kind("reduced-pages.tif", pages(DEEP, DEEP[::2, ::2], DEEP[::4, ::4]), by_pillow()),
    Kind(
        "thumbnail-first.tif",
        pages(GREY[::8, ::8], GREY),
        lambda path: tifffile.imread(path, series=1),
        note=r"2 images.*largest, series 1 of 48 × 64.*series=",
    ),
    Kind(
        "thumbnail-chosen.tif",
        pages(GREY[::8, ::8], GREY),
        lambda path: tifffile.imread(path, series=0),
        given={"series": 0},
    ),
    Kind(
        "imagej-stack.tif",
        lambda path: tifffile.imwrite(
            path, STACK, imagej=True, resolution=(4, 4), metadata={"axes": "ZYX", "unit": "micron"}
        ),
        tifffile.imread,
        stack=True,
        size=(0.25, "µm"),
    ),
    Kind(
        "imagej-composite-3.tif",
        lambda path: tifffile.imwrite(path, STACK[:3], imagej=True, metadata={"axes": "CYX", "mode": "composite"}),
        lambda path: np.moveaxis(tifffile.imread(path), 0, -1),
    ),
    Kind(
        "imagej-composite-5.tif",
        lambda path: tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "CYX", "mode": "composite"}),
        lambda path: tifffile.imread(path)[2],
        given={"index": {"C": 2}},
    ),
    Kind(
        "ome-time-channels.ome.tif",
        lambda path: tifffile.imwrite(
            path, np.stack([STACK[:4], STACK[1:]]), ome=True, metadata={"axes": "TCYX"}, photometric="minisblack"
        ),
        lambda path: np.moveaxis(tifffile.imread(path)[1, [2, 0, 1]], 0, -1),
        given={"index": {"T": 1, "C": [2, 0, 1]}},
    ),
    Kind(
        "two-images.ome.tif",
        two_ome_images,
        lambda path: tifffile.imread(path, series=1),
        stack=True,
        note="2 images.*series 1",
        size=(0.25, "µm"),
    ),
    Kind("turned.tif", oriented, lambda path: np.rot90(tifffile.imread(path), -1), note="orientation 6.*upright"),
    # PNG
    picture("grey.png", Pillow.fromarray(GREY)),
    picture("grey-16.png", Pillow.fromarray(DEEP)),
    picture("bits.png", Pillow.fromarray(BITS), "L"),
    picture("rgb.png", Pillow.fromarray(RGB)),
    picture("rgba.png", Pillow.fromarray(opaque(RGB)), "RGB"),
    picture("grey-alpha.png", Pillow.fromarray(opaque(GREY)), "L"),
    picture("palette.png", palette_picture(COLOURS), "RGB"),
    Kind("grey-palette.png", lambda path: palette_picture(GREYS).save(path), grey_of(by_pillow("RGB"))),
    Kind("rgb-16.png", lambda path: path.write_bytes(imagecodecs.png_encode(RGB16)), imagecodecs.imread),
    Kind(
        "rgba-16.png",
        lambda path: path.write_bytes(imagecodecs.png_encode(opaque(RGB16))),
        lambda path: imagecodecs.imread(path)[..., :3],
    ),
    # Others
    picture("grey.jpg", Pillow.fromarray(SMOOTH)),
    picture("rgb.jpg", Pillow.fromarray(SOFT)),
    picture("cmyk.jpg", Pillow.fromarray(SOFT).convert("CMYK"), "RGB"),
    Kind(
        "turned.jpg",
        lambda path: Pillow.fromarray(SMOOTH).save(path, exif=exif(8)),
        by_pillow(upright=True),
        note="orientation 8",
    ),
    picture("rgb.bmp", Pillow.fromarray(RGB)),
    picture("grey.gif", Pillow.fromarray(GREY), "L"),
    Kind("palette.gif", lambda path: palette_picture(COLOURS).save(path), by_pillow("RGB")),
    Kind(
        "moving.gif",
        lambda path: FRAMES[0].save(path, save_all=True, append_images=FRAMES[1:]),
        by_pillow("L"),
        note="2 images.*the first, series 0",
    ),
    picture("rgb.webp", Pillow.fromarray(RGB), lossless=True),
    Kind("rgb.ppm", lambda path: Pillow.fromarray(RGB).save(path), by_pillow()),
    Kind("deep.pgm", lambda path: Pillow.fromarray(DEEP).save(path), lambda path: by_pillow()(path).astype(np.uint16)),
    Kind("rgb.jp2", lambda path: Pillow.fromarray(RGB).save(path, irreversible=False), by_pillow()),
    Kind("stack.npy", lambda path: np.save(path, STACK), np.load, stack=True),
    Kind("fortran.npy", lambda path: np.save(path, np.asfortranarray(DEEP)), np.load),
    Kind(
        "plain.zarr",
        lambda path: zarr.save_array(str(path), STACK),
        lambda path: zarr.open_array(str(path), mode="r")[:],
        stack=True,
    ),
    Kind(
        "ome.zarr",
        ome_zarr,
        lambda path: zarr.open_group(str(path), mode="r")["0"][0, 0],
        stack=True,
        size=(2.0, "nm"),
    ),
]


def test_there_are_at_least_40_kinds_of_files():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 40


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_file_shows_the_pixels_of_the_reference_reader(kind, tmp_path):
    path = tmp_path / kind.name
    kind.write(path)
    expected = kind.reference(path)
    opened = prepare(path, **kind.given)
    colours = expected.ndim == 3 + kind.stack
    assert opened.stack is kind.stack
    assert opened.shape == (expected.shape[:-1] if colours else expected.shape)
    shown = opened.pixels if opened.stack else opened.pixels[0]
    np.testing.assert_array_equal(shown, expected if colours else expected[..., np.newaxis])
    assert opened.dtype.name == expected.dtype.name
    assert opened.title == kind.name
    assert opened.pixel_size == kind.size
    if kind.note:
        assert len(opened.notes) == 1
        assert re.search(kind.note, opened.notes[0])
    else:
        assert opened.notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["turned.tif", "turned.png", "deep.png"])
def test_images_are_turned_upright_from_every_orientation(orientation, name, tmp_path):
    path, stored = tmp_path / name, DEEP if name == "deep.png" else GREY
    if name.endswith(".tif"):
        tifffile.imwrite(path, stored, photometric="minisblack", extratags=[(274, "H", 1, orientation, True)])
    else:
        Pillow.fromarray(stored).save(path, exif=exif(orientation))
    reference = Pillow.fromarray(stored)
    reference.getexif()[274] = orientation
    np.testing.assert_array_equal(prepare(path).pixels[0, ..., 0], np.asarray(ImageOps.exif_transpose(reference)))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if ".tif" in kind.name], ids=lambda kind: kind.name)
def test_a_tiff_shows_the_same_when_it_is_decoded_strip_by_strip(kind, tmp_path, monkeypatch):
    kind.write(tmp_path / kind.name)
    expected = prepare(tmp_path / kind.name, **kind.given).digest()
    monkeypatch.setattr(tiff_pages, "_PAGE_BYTES", 0)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(blocks, "CHUNKS_BYTES", 4000)
    monkeypatch.setattr(image, "KEPT_BYTES", 0)
    assert prepare(tmp_path / kind.name, **kind.given).digest() == expected


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "jpeg", "jpegxl"])
@pytest.mark.parametrize("layout", [{"tile": (32, 48)}, {"rowsperstrip": 7}], ids=["tiles", "strips"])
@pytest.mark.parametrize("planes", ["grey", "contig", "separate"])
def test_strips_and_tiles_that_do_not_fill_the_image_are_put_together(
    compression, layout, planes, tmp_path, monkeypatch
):
    pixels = np.tile(SOFT, (3, 2, 1))[:125, :100]
    pixels = pixels[..., 0] if planes == "grey" else np.moveaxis(pixels, -1, 0) if planes == "separate" else pixels
    colours = {} if planes == "grey" else {"planarconfig": planes}
    photometric = "minisblack" if planes == "grey" else "rgb"
    path = tmp_path / "parts.tif"
    stack = np.stack([pixels, pixels[..., ::-1, :] if planes == "contig" else pixels[..., ::-1]])
    tifffile.imwrite(path, stack, photometric=photometric, compression=compression, **layout, **colours)
    monkeypatch.setattr(tiff_pages, "_PAGE_BYTES", 0)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(image, "KEPT_BYTES", 0)
    expected = tifffile.imread(path)
    shown = prepare(path).pixels
    reference = np.moveaxis(expected, 1, -1) if planes == "separate" else expected
    np.testing.assert_array_equal(shown[..., 0] if planes == "grey" else shown, reference)
