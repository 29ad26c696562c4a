"""Large images are read in parts: memory holds a part, and nothing is read that is not shown."""

import subprocess
import sys

import dask.array
import numpy as np
import pytest
import tifffile
import xarray
import zarr

import sambalab as sl
from sambalab.files.images import prepare
from sambalab.files.images.blocks import CHUNKS_BYTES, places
from sambalab.tests import conftest

SIDE = 16_384
# 268 MB of uint8; the pixels below repeat after 251 columns and 256 rows.
TILE = np.add.outer(np.arange(256), np.arange(256)).astype(np.uint8)


def tiles():
    for _ in range((SIDE // 256) ** 2):
        yield TILE


def tiled_tiff(path):
    tifffile.imwrite(path, tiles(), shape=(SIDE, SIDE), dtype=np.uint8, tile=(256, 256), compression="zlib")


def striped_tiff(path):
    whole = np.tile(TILE, (SIDE // 256, SIDE // 256))
    tifffile.imwrite(path, whole, rowsperstrip=256, compression="zlib", photometric="minisblack")


def pages_tiff(path):
    with tifffile.TiffWriter(path) as file:
        for _ in range(64):
            file.write(np.tile(TILE, (8, 8)), compression="zlib", photometric="minisblack", metadata=None)


def zarr_folder(path):
    array = zarr.create_array(str(path), shape=(SIDE, SIDE), chunks=(1024, 1024), dtype="uint8")
    for row in range(0, SIDE, 1024):
        array[row : row + 1024] = np.tile(TILE, (4, SIDE // 256))


def npy(path):
    np.save(path, np.tile(TILE, (SIDE // 256, SIDE // 256)))


def raw_tiff(path):
    tifffile.imwrite(path, np.tile(TILE, (SIDE // 256, SIDE // 256)), photometric="minisblack")


LIMITED = """
import resource, sys
import sambalab.files.images as images
import imagecodecs, tifffile
if sys.argv[1].endswith("zarr"):
    import zarr
    zarr.open(sys.argv[1], mode="r")[0]  # its threads
with open("/proc/self/status") as status:
    data = next(int(line.split()[1]) for line in status if line.startswith("VmData")) << 10
# The image has 268 MB; what this process allocates from now on, memory maps of files left out, may have 160.
resource.setrlimit(resource.RLIMIT_DATA, (data + (160 << 20),) * 2)
image = images.prepare(sys.argv[1])
digest = image.digest()
print(digest, sum(block.size for block in image.blocks()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("tiled.tif", tiled_tiff),
        ("striped.tif", striped_tiff),
        ("raw.tif", raw_tiff),
        ("pages.tif", pages_tiff),
        ("chunks.zarr", zarr_folder),
        ("map.npy", npy),
    ],
)
def test_a_large_file_opens_with_much_less_memory_than_it_has_pixels(name, write, tmp_path):
    write(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / name)], capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    stack = np.broadcast_to(np.tile(TILE, (8, 8)), (64, 2048, 2048))
    expected = prepare(stack if name == "pages.tif" else np.tile(TILE, (SIDE // 256, SIDE // 256)))
    assert done.stdout.split() == [expected.digest(), str(SIDE * SIDE)]


class Counting:
    """An array that counts what is read of it."""

    def __init__(self, array, chunks=None):
        self._array = array
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, chunks
        self.values = self.most = 0

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("the whole array was read")

    def __getitem__(self, key):
        part = self._array[key]
        self.values += part.size
        self.most = max(self.most, part.nbytes)
        return part


def test_only_the_chosen_channel_and_time_are_read_and_a_large_image_twice():
    whole = np.broadcast_to(np.arange(4096, dtype=np.uint16), (3, 2, 12, 4096, 4096))
    array = Counting(whole)
    image = prepare(array, axes="TCZYX", index={"T": 2, "C": 1})
    assert array.values == 0 and image.shape == (12, 4096, 4096)
    image.info()
    shown = 12 * 4096 * 4096
    assert array.values == shown and array.most <= 1 << 24
    assert sum(block.size for block in image.blocks()) == shown
    assert array.values == 2 * shown


def test_a_small_image_is_read_once():
    array = Counting(np.arange(6 * 40 * 50, dtype=np.uint16).reshape(6, 40, 50))
    image = prepare(array)
    image.info()
    assert image.pixels.shape == (6, 40, 50, 1) and array.values == 6 * 40 * 50


def test_blocks_are_whole_chunks_where_chunks_are_not_too_large():
    for slices, rows in places((1, 20_000, 20_000, 1), 2, (1, 1024)):
        assert slices == slice(0, 1) and rows.start % 1024 == 0 and rows.stop - rows.start <= 1024
    for slices, rows in places((200, 1024, 1024, 1), 1, (64, 64)):
        assert slices.start % 64 == 0 and rows == slice(0, 1024)
    assert (
        max(rows.stop - rows.start for _, rows in places((1, 1 << 20, 1 << 14, 1), 1, (1, 1 << 20))) << 14
        < CHUNKS_BYTES
    )


def test_the_digest_and_display_range_of_a_lazy_image_are_those_of_its_array():
    whole = np.random.default_rng(0).integers(0, 60000, (9, 2100, 2300), np.uint16)
    lazy = prepare(Counting(whole, chunks=(2, 500, 2300)))
    assert lazy.info() == prepare(whole).info()
    turned = whole.transpose(0, 2, 1)
    assert prepare(Counting(turned)).info() == prepare(np.ascontiguousarray(turned)).info() == prepare(turned).info()


def test_wrong_values_of_a_lazy_image_are_counted_over_all_of_it():
    whole = np.zeros((9, 2100, 2300), np.float32)
    whole[1, 5, :3], whole[8, 7, :2] = np.nan, np.inf
    with pytest.raises(sl.ImageError, match=r"3 of 43,470,000 values are NaN and 2 are infinite"):
        prepare(Counting(whole)).info()


def test_integers_of_64_bits_are_narrowed_only_if_all_of_them_fit():
    whole = np.zeros((3, 3000, 3000), np.int64)
    assert prepare(Counting(whole)).dtype == np.int32
    whole[2, -1, -1] = 1 << 40
    assert prepare(Counting(whole)).dtype == np.float64


def test_an_image_that_changes_while_it_is_read_is_refused():
    whole = np.zeros((9, 2100, 2300), np.uint32)
    image = prepare(Counting(whole))
    image.info()
    whole[4, 4, 4] = 1
    with pytest.raises(sl.ImageError, match="changed while they were read"):
        for _ in image.blocks():
            pass


def test_dask_arrays_are_computed_block_by_block():
    most = []

    def make(block_info=None):
        shape = block_info[None]["chunk-shape"]
        most.append(shape)
        return np.full(shape, block_info[None]["chunk-location"][0], np.uint16)

    array = dask.array.map_blocks(make, chunks=((1,) * 12, (2048, 2048), (4096,)), dtype=np.uint16)
    image = prepare(array)
    assert image.shape == (12, 4096, 4096) and not most
    np.testing.assert_array_equal([block.max() for block in image.blocks()], np.repeat(np.arange(12), 2))
    assert len(most) == 24


def test_dimensions_of_xarray_are_axes_and_their_coordinates_the_pixel_size():
    values = np.random.default_rng(0).integers(0, 255, (2, 5, 40, 50), np.uint8)
    scale = {name: (name, np.arange(length) * 0.25, {"units": "nm"}) for name, length in (("row", 40), ("col", 50))}
    named = xarray.DataArray(values, dims=("channel", "depth", "row", "col"), coords=scale, name="alloy")
    image = prepare(named, index={"C": 1})
    np.testing.assert_array_equal(image.pixels[..., 0], values[1])
    assert image.stack and image.pixel_size == (0.25, "nm") and image.title == "alloy"
    lazy = prepare(named.chunk({"depth": 1}).transpose("depth", "col", "row", "channel"), index={"c": 0})
    np.testing.assert_array_equal(lazy.pixels[..., 0], values[0])
    with pytest.raises(sl.ImageError, match=r"The dimensions are a, b, shape \(40, 50\); axes="):
        prepare(xarray.DataArray(values[0, 0], dims=("a", "b")))
    assert prepare(xarray.DataArray(values[0, 0])).shape == (40, 50)


def test_zarr_arrays_groups_and_series_open(tmp_path):
    stack = np.random.default_rng(0).integers(0, 255, (4, 40, 50), np.uint8)
    store = zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    store.create_array("small", data=stack[:, :10, :10])
    store.create_array("large", data=stack, dimension_names=("c", "y", "x"))
    np.testing.assert_array_equal(prepare(store["large"], axes="ZYX").pixels[..., 0], stack)
    image = prepare(tmp_path / "group.zarr", index={"C": 3})
    np.testing.assert_array_equal(image.pixels[0, ..., 0], stack[3])
    assert "2 images are in the file; the largest, series 0 of 40 × 50" in image.notes[0]
    assert prepare(tmp_path / "group.zarr", series=1).shape == (4, 10, 10)
    zarr.open_group(str(tmp_path / "empty.zarr"), mode="w")
    with pytest.raises(sl.ImageError, match="no arrays"):
        prepare(tmp_path / "empty.zarr")


def test_a_long_list_of_large_files_is_opened_one_at_a_time(tmp_path, monkeypatch):
    paths = [tmp_path / f"{number}.tif" for number in range(5)]
    pixels = np.tile(TILE, (16, 16))
    for number, path in enumerate(paths):
        tifffile.imwrite(path, pixels + np.uint8(number), photometric="minisblack", compression="zlib")
    image = prepare(paths)
    assert image.shape == (5, 4096, 4096)
    assert image.digest() == prepare([pixels + np.uint8(number) for number in range(5)]).digest()
    tifffile.imwrite(paths[3], pixels[:8], photometric="minisblack")
    with pytest.raises(sl.ImageError, match=r"3\.tif is uint8 \(1, 8, 4096, 1\), and the first image is uint8"):
        prepare(paths).digest()


@pytest.mark.skipif(sys.platform == "win32", reason="limits open files as Unix does")
@pytest.mark.parametrize("large", [False, True])
def test_a_list_of_more_files_than_may_be_open_is_a_stack(tmp_path, large):
    pixels = np.tile(TILE, (4, 4) if large else (1, 1))  # 100 of them have 105 or 6.6 MB
    paths = [tmp_path / f"{number}.tif" for number in range(100)]
    for path in paths:
        tifffile.imwrite(path, pixels, photometric="minisblack", compression="zlib")
    script = (
        "import resource, sys, imagecodecs, tifffile, sambalab.files.images as images\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "print(images.prepare(sys.argv[1:]).digest())"
    )
    done = subprocess.run([sys.executable, "-c", script, *map(str, paths)], capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [prepare(np.broadcast_to(pixels, (100, *pixels.shape))).digest()]


def test_a_labeller_fills_the_shared_array_block_by_block():
    with conftest.folders():
        array = dask.array.from_array(np.broadcast_to(np.tile(TILE, (16, 16)), (6, 4096, 4096)), chunks=(1, 4096, 4096))
        lab = sl.Labeller(array, name="lazy")
        assert lab.image.shape == (6, 4096, 4096)
        np.testing.assert_array_equal(lab.image[5], np.tile(TILE, (16, 16)))
        lab.close()
