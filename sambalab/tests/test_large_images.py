"""Labellers of large images: what the kernel holds in memory, and how often a file is read."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import sambalab as sl

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SIDE = 6144
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
