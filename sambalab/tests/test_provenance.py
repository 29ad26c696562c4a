"""`lab.provenance`: what made each label, on the real sidecar."""

import numpy as np
import pytest
import tifffile

import sambalab as sl
from sambalab.sidecar_client import sidecar
from sambalab.spec.tables import limits

from .conftest import kill

pytestmark = pytest.mark.usefixtures("sidecar_dirs")


def test_the_numbers_are_those_of_the_sidecar():
    numbers = {made.name.lower(): int(made) for made in sl.Provenance if made}
    assert numbers == dict(limits("provenance"))


def test_interpolation_and_python_can_be_told_apart_through_undo_and_a_crash():
    stack = np.zeros((5, 40, 30), np.uint8)
    lab = sl.Labeller(stack, ["a", "b"], name="provenance", fresh=True)
    assert lab.provenance.shape == stack.shape
    assert lab.provenance.dtype == np.uint8
    live = lab.provenance
    labels = np.zeros(stack.shape, np.uint8)
    labels[0, 5:20, 5:20] = 1
    labels[4, 10:25, 8:22] = 1
    lab.set_labels(labels)
    np.testing.assert_array_equal(live, np.where(labels > 0, sl.Provenance.PYTHON, 0))
    assert lab.interpolate() == [1, 2, 3]
    expected = np.where(lab.labels > 0, sl.Provenance.INTERPOLATION, 0)
    expected[labels > 0] = sl.Provenance.PYTHON
    np.testing.assert_array_equal(live, expected)
    assert (live[2] == sl.Provenance.INTERPOLATION).any()
    lab.undo()
    np.testing.assert_array_equal(live, np.where(labels > 0, sl.Provenance.PYTHON, 0))
    kill(sidecar._find().pid)
    lab.redo()
    np.testing.assert_array_equal(lab.provenance, expected)


def test_labels_that_are_taken_keep_what_made_them(tmp_path):
    image = np.zeros((5, 40, 30), np.uint8)
    lab = sl.Labeller(image, ["a", "b"], name="provenance source", fresh=True)
    labels = np.zeros(image.shape, np.uint8)
    labels[[0, 4], 5:20, 5:20] = 1
    lab.set_labels(labels)
    lab.interpolate()
    other = sl.Labeller(image, ["a", "b"], name="provenance target", fresh=True)
    other.take_labels(lab)
    np.testing.assert_array_equal(other.provenance, lab.provenance)
    aside = sl.Labeller(image, ["a", "b"], name="provenance target", fresh=True)
    assert not aside.provenance.any()
    aside.restore(aside.backups()[0])
    np.testing.assert_array_equal(aside.provenance, lab.provenance)

    aside.save(tmp_path / "made.tif", "provenance")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "made.tif"), lab.provenance)
    aside.save(tmp_path / "made.png", "provenance", slice=2)
    assert (tmp_path / "made.png").exists()
