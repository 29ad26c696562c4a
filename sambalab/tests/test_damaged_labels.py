"""Damaged and unreadable files of a session, seen from Python."""

import os
import pathlib
import warnings

import numpy as np
import pytest

import sambalab as sl
from sambalab.sidecar_client import sidecar

from .conftest import kill

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

IMAGE = (np.arange(96 * 128).reshape(96, 128) % 251).astype(np.uint8)


def folder_of(lab):
    return pathlib.Path(os.environ["SAMBALAB_DATA_DIR"], "sessions", lab.session)


def labelled(name):
    lab = sl.Labeller(IMAGE, ["matrix", "pore"], name=name)
    drawn = np.zeros(IMAGE.shape, np.uint8)
    drawn[:10] = 1
    lab.set_labels(drawn)
    return lab, drawn


def damage_warning(caught):
    """The one DamageWarning among the warnings, which come with ResourceWarnings of the killed sidecar."""
    (warning,) = [item for item in caught if item.category is sl.DamageWarning]
    assert warning.filename == __file__
    return str(warning.message)


def damage(path):
    content = bytearray(path.read_bytes())
    content[2] ^= 8
    path.write_bytes(content)


def test_a_damaged_journal_warns_once_and_says_where_the_copy_is():
    lab, drawn = labelled("damaged journal")
    kill(sidecar._find().pid)
    journal = folder_of(lab) / "labels.journal"
    damage(journal)
    broken = journal.read_bytes()
    with pytest.warns(sl.DamageWarning, match=r"1,280 labelled pixels were kept\. Nothing is lost\.") as caught:
        np.testing.assert_array_equal(lab.labels, drawn)
    copies = list(folder_of(lab).glob("labels-*.damaged"))
    assert len(copies) == 1 and str(copies[0]) in damage_warning(caught)
    assert copies[0].read_bytes() == broken
    with warnings.catch_warnings():
        warnings.simplefilter("error", sl.DamageWarning)
        np.testing.assert_array_equal(lab.labels, drawn)
    # A labeller that is made later warns as well: its user has not seen the first warning.
    with pytest.warns(sl.DamageWarning) as again:
        sl.Labeller(IMAGE, name="damaged journal")
    assert "Nothing is lost" in damage_warning(again)


def test_a_damaged_record_warns_and_keeps_the_classes():
    lab, drawn = labelled("damaged record")
    lab.close()
    kill(sidecar._find().pid)
    record = folder_of(lab) / "session.json"
    record.write_bytes(record.read_bytes()[:200])
    with pytest.warns(sl.DamageWarning, match=r"session\.json was damaged"):
        again = sl.Labeller(IMAGE, name="damaged record")
    assert again.classes == ("matrix", "pore")
    np.testing.assert_array_equal(again.labels, drawn)


def test_an_unreadable_journal_raises_and_stays():
    lab, drawn = labelled("unreadable journal")
    lab.close()
    kill(sidecar._find().pid)
    journal = folder_of(lab) / "labels.journal"
    aside = journal.with_name("good")
    journal.rename(aside)
    journal.mkdir()  # a file that cannot be read, even by root
    with pytest.raises(sl.StorageError, match="labels.journal cannot be used"):
        sl.Labeller(IMAGE, name="unreadable journal")
    journal.rmdir()
    aside.rename(journal)
    np.testing.assert_array_equal(sl.Labeller(IMAGE, name="unreadable journal").labels, drawn)
