"""Files of shared arrays that somebody removes under a running sidecar, as a log-out or a cleaner of temporary files does."""

import shutil
import time

import numpy as np
import pytest

import sambalab as sl
from sambalab.sidecar_client import client as clients
from sambalab.sidecar_client import sidecar, staging
from sambalab.tests.conftest import SAMBA, kill

IMAGE = (np.add.outer(np.arange(60), np.arange(80)) * 255 // 140).astype(np.uint8)
LABELS = np.zeros(IMAGE.shape, np.uint8)
LABELS[:5], LABELS[-5:] = 1, 2


@pytest.fixture
def lab(own_dirs):
    lab = sl.Labeller(IMAGE, name="deleted")
    lab.set_labels(LABELS)
    return lab


def remove_arrays(own_dirs):
    assert any((own_dirs / "arrays").iterdir())
    shutil.rmtree(own_dirs / "arrays")


def test_labels_and_image_are_there_after_their_files_were_removed(own_dirs, lab):
    pid = sidecar._find().pid
    remove_arrays(own_dirs)
    np.testing.assert_array_equal(lab.labels, LABELS)
    np.testing.assert_array_equal(lab.image, IMAGE)
    assert sidecar._find().pid == pid
    # On files that are there again, which the sidecar writes to.
    lab.set_labels(LABELS[::-1])
    np.testing.assert_array_equal(lab.labels, LABELS[::-1])


@pytest.mark.parametrize("call", ["set_labels", "train", "run again", "classes", "live"])
def test_each_call_succeeds_after_the_files_were_removed(own_dirs, lab, call):
    remove_arrays(own_dirs)
    if call == "set_labels":
        lab.set_labels(LABELS)
    elif call == "train":
        lab.train(**SAMBA, trees=5, progress=False)
        assert set(np.unique(lab.segmentation)) == {1, 2}
    elif call == "run again":
        lab = sl.Labeller(IMAGE, name="deleted")
    elif call == "classes":
        assert lab.classes == ("1", "2")
    else:
        lab.live = True
        assert lab.live
    np.testing.assert_array_equal(lab.labels, LABELS)
    np.testing.assert_array_equal(lab.image, IMAGE)
    lab.train(**SAMBA, trees=5, progress=False)
    assert lab.segmentation.shape == IMAGE.shape


def test_python_writes_the_pixels_again_when_the_widget_finds_the_files_gone(own_dirs, lab):
    remove_arrays(own_dirs)
    # As the browser does it, through another connection: Python is not asked for anything.
    other = clients.Client()
    try:
        for _ in range(100):
            try:
                reply = other.request(
                    "image.tile", {"session": lab.session, "slice": 0, "level": 0, "row": 0, "column": 0}
                )
                break
            except sl.NotReadyError:
                time.sleep(0.05)
        tile = np.frombuffer(reply.buffers[0], np.uint8)
        assert tile.size == IMAGE.size and tile.any()
    finally:
        other.close()


def test_set_labels_that_the_sidecars_death_interrupts_is_tried_again(own_dirs, lab, monkeypatch):
    transmit = clients.Client._transmit
    killed = []

    def deadly(self, connection, pending):
        if b'"labels.set"' in bytes(pending.parts[0][0]) and not killed:
            killed.append(connection.info.pid)
            kill(connection.info.pid)
            pending.lives += 1
            return
        transmit(self, connection, pending)

    monkeypatch.setattr(clients.Client, "_transmit", deadly)
    lab.set_labels(LABELS[::-1])
    assert len(killed) == 1
    np.testing.assert_array_equal(lab.labels, LABELS[::-1])


def test_set_labels_whose_sidecar_dies_before_the_array_is_written_is_tried_again(own_dirs, lab, monkeypatch):
    write = staging.write_array
    killed = []

    def deadly(descriptor, values):
        if not killed:
            killed.append(sidecar._find().pid)
            kill(killed[0])
            shutil.rmtree(own_dirs / "arrays")
        write(descriptor, values)

    monkeypatch.setattr(staging, "write_array", deadly)
    lab.set_labels(LABELS[::-1])
    np.testing.assert_array_equal(lab.labels, LABELS[::-1])


def test_shutdown_ends_the_sidecar_and_the_next_call_starts_another(own_dirs, lab):
    pid = sidecar._find().pid
    assert sl.shutdown() is True
    assert not sidecar.runs(pid) and sidecar._find() is None
    assert sl.shutdown() is False
    np.testing.assert_array_equal(lab.labels, LABELS)
    lab.set_labels(LABELS[::-1])
    assert sidecar._find().pid != pid
    np.testing.assert_array_equal(lab.labels, LABELS[::-1])
