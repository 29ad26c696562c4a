"""Labellers of large images: what the kernel holds in memory, and how often a file is read."""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

import sambalab as sl
from sambalab.files.images import surveys
from sambalab.files.images.readers.tiff_pages import Pages
from sambalab.sidecar_client.client import Client

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SIDE = 6144
STRIP = 64
#: 75 MB, more than is read at once.
PIXELS = np.add.outer(np.arange(SIDE, dtype=np.uint16) * 7, np.arange(SIDE, dtype=np.uint16) * 3)


def mapped_bytes():
    """Bytes of mapped files that this process has in memory."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return sum(int(lines[name].split()[0]) for name in ("RssFile", "RssShmem")) * 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells what memory a process holds")
def test_opening_and_showing_a_large_file_leaves_none_of_its_pixels_in_the_kernels_memory(tmp_path):
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, PIXELS, photometric="minisblack")
    sl.Labeller(np.zeros((8, 8), np.uint8), name="first")._repr_mimebundle_()  # imports what all labellers need
    before = mapped_bytes()
    lab = sl.Labeller(path, name="plain")
    lab._repr_mimebundle_()
    assert mapped_bytes() - before < PIXELS.nbytes / 4
    np.testing.assert_array_equal(lab.image[::512], PIXELS[::512])


@pytest.fixture
def decoded(monkeypatch):
    """Numbers of the strips that are decoded."""
    numbers = []
    decode = Pages._decode

    def count(self, page, segments, out, top):
        numbers.extend(segments)
        decode(self, page, segments, out, top)

    monkeypatch.setattr(Pages, "_decode", count)
    return numbers


def deflated(path, pixels=PIXELS):
    tifffile.imwrite(path, pixels, photometric="minisblack", compression="zlib", predictor=True, rowsperstrip=STRIP)
    return path


def array_files(sidecar_dirs, folder=""):
    found = (sidecar_dirs / "arrays").glob(f"*{folder}*/*")
    return [path for path in found if path.name.startswith(("image", "staged"))]


def test_each_strip_of_a_compressed_file_is_decoded_once_and_the_digest_is_that_of_its_pixels(
    sidecar_dirs, tmp_path, decoded
):
    path = deflated(tmp_path / "deflated.tif")
    before = array_files(sidecar_dirs)
    lab = sl.Labeller(path, name="deflated")
    assert sorted(decoded) == list(range(SIDE // STRIP))
    digest = hashlib.sha256(f"uint16 {(1, SIDE, SIDE, 1)}".encode() + PIXELS.tobytes()).hexdigest()
    assert lab._open_params["image"]["digest"] == digest
    np.testing.assert_array_equal(lab.image, PIXELS)
    assert [path for path in array_files(sidecar_dirs) if path not in before] == [
        Path(lab._state["arrays"]["image"]["path"])
    ]
    labels = np.zeros(lab.shape, np.uint8)
    labels[100:200, 100:200] = 1
    lab.set_labels(labels)
    lab.close()
    del decoded[:]
    surveys._remembered.clear()  # as in a new kernel
    again = sl.Labeller(path, name="deflated")
    assert sorted(decoded) == list(range(SIDE // STRIP))
    assert again.labels[150, 150] == 1
    assert array_files(sidecar_dirs, "staged") == []


def test_a_cell_that_runs_again_reads_its_file_only_if_it_changed(tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(surveys, "_RECENT", 0)
    path = deflated(tmp_path / "again.tif")
    first = sl.Labeller(path, name="again")
    del decoded[:]
    second = sl.Labeller(path, name="again")
    assert decoded == []
    assert second.session == first.session
    deflated(path, PIXELS[::-1])
    third = sl.Labeller(path, name="again")
    assert sorted(set(decoded)) == list(range(SIDE // STRIP))
    np.testing.assert_array_equal(third.image, PIXELS[::-1])
    # A file that changed a moment ago may change again within the same tick of its clock.
    monkeypatch.setattr(surveys, "_RECENT", 10**15)
    surveys._remembered.clear()
    sl.Labeller(path, name="again")
    del decoded[:]
    sl.Labeller(path, name="again")
    assert sorted(decoded) == list(range(SIDE // STRIP))


def test_pixels_that_are_not_those_of_the_known_digest_are_refused_and_read_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(surveys, "_RECENT", 0)
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, PIXELS, photometric="minisblack")
    sl.Labeller(path, name="as it was").close()
    key, survey = surveys._remembered.popitem()
    surveys._remembered[key] = survey._replace(digest="0" * 64)
    with pytest.raises(sl.ImageError, match=r"changed while they were read\. Open it again"):
        sl.Labeller(path, name="as it is")
    np.testing.assert_array_equal(sl.Labeller(path, name="as it is").image, PIXELS)


def test_a_large_image_opens_where_there_is_no_room_to_write_it_ahead(tmp_path, decoded, monkeypatch):
    request = Client.request

    def without_room(self, method, params, *args, **options):
        if params.get("ahead"):
            raise sl.DiskFullError("no room")
        return request(self, method, params, *args, **options)

    monkeypatch.setattr(Client, "request", without_room)
    lab = sl.Labeller(deflated(tmp_path / "full.tif"), name="full")
    np.testing.assert_array_equal(lab.image, PIXELS)
    assert len(decoded) == 2 * (SIDE // STRIP)


@pytest.mark.parametrize("damage", ["strip", "nan"])
def test_a_large_image_that_cannot_be_read_leaves_no_file(sidecar_dirs, tmp_path, damage):
    path = tmp_path / "bad.tif"
    before = array_files(sidecar_dirs)
    if damage == "nan":
        pixels = PIXELS.astype(np.float32)
        pixels[SIDE // 2, 7] = np.nan
        tifffile.imwrite(path, pixels, photometric="minisblack")
        said = "1 of 37,748,736 values are NaN"
    else:
        deflated(path)
        with tifffile.TiffFile(path) as file:
            at = file.pages[0].dataoffsets[SIDE // STRIP // 2]
        with path.open("r+b") as file:
            file.seek(at)
            file.write(bytes(64))
        first = SIDE // STRIP // 2 * STRIP
        said = rf"bad\.tif cannot be read as an image: page 0 \(rows {first} to {first + STRIP - 1}, counted from 0\) is damaged"
    with pytest.raises(sl.ImageError, match=said):
        sl.Labeller(path, name="bad")
    assert array_files(sidecar_dirs) == before


KILLED = """
import os, signal, sys
import sambalab as sl
from sambalab.files.images.readers.tiff_pages import Pages
decode, calls = Pages._decode, []
def until_half(self, *given):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    decode(self, *given)
Pages._decode = until_half
sl.Labeller(sys.argv[1], name="killed")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_a_kernel_that_is_killed_while_it_reads_leaves_no_file(own_dirs, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMBALAB_PEER_SILENCE", "3")
    sl.Labeller(np.zeros((8, 8), np.uint8), name="first")  # keeps the sidecar
    path = deflated(tmp_path / "killed.tif")
    child = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert child.returncode == -signal.SIGKILL
    assert array_files(own_dirs, "staged") != []
    deadline = time.monotonic() + 60
    while array_files(own_dirs, "staged") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert array_files(own_dirs, "staged") == []
