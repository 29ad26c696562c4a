"""What `shutdown` leaves behind, and what a labeller that lives on has of it."""

import subprocess
import sys
import textwrap
import time

import numpy as np

import sambalab as sl
from sambalab.sidecar_client import sidecar
from sambalab.tests.conftest import SAMBA, kill

IMAGE = (np.add.outer(np.arange(60), np.arange(80)) * 255 // 140).astype(np.uint8)
LABELS = np.zeros(IMAGE.shape, np.uint8)
LABELS[:5], LABELS[-5:] = 1, 2


def test_after_shutdown_no_array_stays_and_a_living_labeller_goes_on(own_dirs):
    lab = sl.Labeller(IMAGE, name="shut down")
    lab.set_labels(LABELS)
    lab.train(**SAMBA, trees=5, progress=False)
    labels, segmentation, image = lab.labels, lab.segmentation, lab.image
    expected = segmentation.copy()
    sl.Labeller(IMAGE, name="closed just before").close()

    assert sl.shutdown()
    assert list((own_dirs / "arrays").iterdir()) == []
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(segmentation, expected)
    np.testing.assert_array_equal(image, IMAGE)

    np.testing.assert_array_equal(lab.labels, LABELS)
    np.testing.assert_array_equal(lab.image, IMAGE)
    np.testing.assert_array_equal(lab.segmentation, expected)
    lab.set_labels(LABELS[::-1])
    np.testing.assert_array_equal(lab.labels, LABELS[::-1])
    np.testing.assert_array_equal(labels, LABELS)


def test_arrays_of_a_killed_kernel_and_sidecar_are_freed_by_the_next_sidecar_of_another_data_folder(
    own_dirs, monkeypatch
):
    script = """
        import numpy as np, sambalab as sl
        from sambalab.sidecar_client import sidecar
        lab = sl.Labeller(np.zeros((20, 20), np.uint8), name="killed")
        print(sidecar._find().pid, lab._state["arrays"]["image"]["path"], flush=True)
        input()
    """
    pipe = subprocess.PIPE
    monkeypatch.setenv("SAMBALAB_DATA_DIR", str(own_dirs / "temporary"))
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdin=pipe, stdout=pipe, text=True
    ) as kernel:
        pid, path = kernel.stdout.readline().split()
        kill(int(pid))
        monkeypatch.setenv("SAMBALAB_DATA_DIR", str(own_dirs / "data"))
        lab = sl.Labeller(IMAGE, name="another")
        lab.set_labels(LABELS)
        arrays = own_dirs / "arrays"
        assert (arrays / path).exists()  # the kernel maps it
        kernel.kill()
    kill(sidecar._find().pid)
    lab.set_labels(LABELS[::-1])
    mine = lab._state["arrays"]["image"]["path"]
    deadline = time.monotonic() + 60
    while (arrays / path).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not (arrays / path).exists()
    assert (arrays / mine).exists()
    np.testing.assert_array_equal(lab.labels, LABELS[::-1])
