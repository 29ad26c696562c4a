"""Labels of another notebook, of a renamed one, or of a changed image are never taken silently, and are easy to take."""

import json
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import sambalab as sl
from sambalab.sidecar_client import sessions
from sambalab.tests.conftest import stop_sidecar

IMAGE = (np.arange(40 * 60) % 251).astype(np.uint8).reshape(40, 60)


@pytest.fixture
def notebook(monkeypatch):
    """Give a function that makes the next labellers those of a notebook."""
    return lambda name: monkeypatch.setenv("JPY_SESSION_NAME", name)


@pytest.fixture(autouse=True)
def closed_labellers():
    """Close the labellers of a test: the next test's sidecar would open their sessions again."""
    yield
    for reference in list(sessions._live.values()):
        if (owner := reference()) is not None:
            owner.close()


def labelled(image=IMAGE, rows=5, **options):
    """Make a labeller of the variable `lab` with some labels."""
    lab = sl.Labeller(image, ["matrix", "pore"], **options)
    labels = np.zeros(image.shape, np.uint8)
    labels[:rows] = 1
    labels[rows : 2 * rows] = 2
    lab.set_labels(labels)
    return lab


def test_a_renamed_notebook_tells_of_its_labels_and_takes_them(own_dirs, notebook):
    notebook("old.ipynb")
    first = labelled()
    notebook("new.ipynb")
    lab = sl.Labeller(IMAGE)
    assert not lab.labels.any()
    (found,) = lab.related()
    assert (found.session, found.notebook, found.labelled) == (first.session, "old.ipynb", 600)
    assert "600 labelled pixels" in repr(lab) and "old.ipynb" in repr(lab) and found.session in repr(lab)
    with pytest.raises(sl.LabelError, match=f"two classes.*\n.*600 labelled pixels.*take_labels\\('{found.session}'"):
        lab.train(progress=False)
    lab.take_labels(found)
    np.testing.assert_array_equal(lab.labels, first.labels)
    assert lab.classes == ("matrix", "pore")
    assert "another session" not in repr(lab)
    lab.fresh_start()
    assert first.labels.any()  # a copy: the other session stays as it is


def test_an_image_changed_by_rounding_tells_of_the_labels_of_its_variable(own_dirs, notebook):
    notebook("a.ipynb")
    first = labelled(IMAGE.astype(np.float32))
    labelled(IMAGE[:20].astype(np.float32))  # another size: never related
    lab = sl.Labeller((IMAGE + 1e-3).astype(np.float32))
    assert not lab.labels.any()
    assert [found.session for found in lab.related()] == [first.session]
    other = sl.Labeller((IMAGE + 2e-3).astype(np.float32))
    assert other.related() == ()  # another variable, another image


def test_labels_of_the_same_variable_are_related_and_those_of_the_same_image_come_first(own_dirs, notebook):
    notebook("a.ipynb")
    lab = sl.Labeller(IMAGE.astype(np.float32))
    lab.set_labels(np.ones(lab.shape, np.uint8))
    variable = lab.session
    notebook("b.ipynb")
    elsewhere = sl.Labeller((IMAGE + 1e-3).astype(np.float32))
    elsewhere.set_labels(np.ones(lab.shape, np.uint8))
    notebook("a.ipynb")
    lab = sl.Labeller((IMAGE + 1e-3).astype(np.float32))
    assert [found.session for found in lab.related()] == [elsewhere.session, variable]


def test_labels_of_another_size_are_not_taken(own_dirs):
    first, second = labelled(name="first"), labelled(IMAGE[:20], name="second")
    with pytest.raises(sl.LabelError, match="of 40 × 60; this one has 20 × 60"):
        second.take_labels(first)
    with pytest.raises(sl.SessionNotFoundError, match="f" * 16):
        second.take_labels("f" * 16)
    with pytest.raises(sl.ParameterError, match="session is 'first'; a session's id"):
        second.take_labels("first")
    assert second.labels.any()


def test_labels_of_a_session_with_pixels_of_another_size_are_taken_with_a_warning(own_dirs):
    first = labelled(name="first", pixel_size=(0.5, "nm"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", sl.SambaLabWarning)
        labelled(name="same", pixel_size=(0.0005, "µm")).set_labels(first)
        labelled(name="unknown").set_labels(first)
    lab = sl.Labeller(IMAGE, ["matrix", "pore"], name="larger", pixel_size=(2, "nm"))
    (info,) = (one for one in sl.sessions() if one.session == first.session)
    assert info.pixel_size == (0.5, "nm")
    message = "The labels in first are of pixels of 0.5 nm; those of this image are 2 nm"
    for take, source in ((lab.set_labels, first), (lab.set_labels, info), (lab.take_labels, first.session)):
        with pytest.warns(sl.SambaLabWarning, match=message) as told:
            take(source)
        assert told[0].filename == __file__
        np.testing.assert_array_equal(lab.labels, first.labels)
        lab.undo()
        assert not lab.labels.any()


def test_another_image_under_a_name_keeps_the_labels_and_says_so_once(own_dirs):
    first = labelled(name="gold")
    with warnings.catch_warnings():
        warnings.simplefilter("error", sl.SambaLabWarning)
        labelled(name="gold")  # the cell runs again
        sl.Labeller(IMAGE + 1, name="unlabelled")
        sl.Labeller(IMAGE, name="unlabelled")
    said = r"The session gold had another image of this size\. Its 600 labelled pixels were kept\..* fresh=True"
    with pytest.warns(sl.SambaLabWarning, match=said) as told:
        lab = sl.Labeller(IMAGE + 1, name="gold")
    assert told[0].filename == __file__
    assert re.search(said, repr(lab)) and re.search(said, " ".join(lab._refresh()["image"]["notes"]))
    np.testing.assert_array_equal(lab.labels, first.labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error", sl.SambaLabWarning)
        again = sl.Labeller(IMAGE + 1, name="gold")
        assert "another image" not in repr(again)
        fresh = sl.Labeller(IMAGE, name="gold", fresh=True)
    assert not fresh.labels.any() and "another image" not in repr(fresh)


def test_labels_that_are_replaced_by_taken_ones_are_set_aside(own_dirs):
    first, second = labelled(name="first"), labelled(name="second", rows=3)
    second.take_labels(first)
    np.testing.assert_array_equal(second.labels, first.labels)
    folder = own_dirs / "data" / "sessions" / second.session
    assert len(list(folder.glob("labels-*.bak"))) == 1


def test_sessions_lists_what_is_on_disk_the_latest_first(own_dirs, notebook):
    notebook("a.ipynb")
    labelled(name="gold").close()
    lab = labelled(IMAGE[:30])
    listed = sl.sessions()
    assert [(info.session == lab.session, info.name, info.shape, info.labelled) for info in listed] == [
        (True, None, (1, 30, 60, 1), 600),
        (False, "gold", (1, 40, 60, 1), 600),
    ]
    assert (
        listed[0].notebook == "a.ipynb"
        and listed[0].variable == "variable lab"
        and listed[1].classes == ("matrix", "pore")
    )
    lines = repr(listed).splitlines()
    assert len(lines) == 2 and "name 'gold'" in lines[1] and "600 px" in lines[1]
    # A new sidecar reads the same from the files.
    stop_sidecar()
    assert [(info.session, info.labelled) for info in sl.sessions()] == [
        (info.session, info.labelled) for info in listed
    ]


CODE = """\
import numpy as np, sambalab as sl
image = (np.arange(40 * 60) % 251).astype(np.uint8).reshape(40, 60)
lab = sl.Labeller(image)
before = int(np.count_nonzero(lab.labels))
told = repr(lab)
lab.set_labels(np.ones(image.shape, np.uint8))
print("before:", before, "related:", len(lab.related()), "told:", "another session" in told)
"""


def test_two_notebooks_of_one_folder_do_not_share_labels_under_nbconvert(own_dirs, tmp_path):
    printed = []
    for name in ("first", "second"):
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": "one",
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                    "source": CODE,
                }
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(notebook))
        # As in a cell of a third notebook, whose name nbconvert inherits.
        run = subprocess.run(
            [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--stdout", f"{name}.ipynb"],
            cwd=tmp_path,
            env={**os.environ, "JPY_SESSION_NAME": str(tmp_path / "third.ipynb")},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs = json.loads(run.stdout)["cells"][0]["outputs"]
        printed.append("".join(text for output in outputs for text in output.get("text", [])).strip())
    assert printed == ["before: 0 related: 0 told: False", "before: 0 related: 1 told: True"]


def test_labels_that_were_set_aside_can_be_restored(own_dirs):
    lab = labelled(name="gold")
    first = lab.labels.copy()
    lab.fresh_start()
    lab.set_labels(np.full(lab.shape, 2, np.uint8))
    (backup,) = lab.backups()
    assert (backup.labelled, backup.damaged) == (600, False)
    assert backup.name in repr(lab.backups()) and "600 px" in repr(lab.backups())
    lab.restore(backup)
    np.testing.assert_array_equal(lab.labels, first)
    # The labels before the restoration were set aside too, and come back by name.
    later, earlier = lab.backups()
    assert (later.labelled, earlier) == (2400, backup)
    lab.restore(later.name)
    assert (lab.labels == 2).all()
    stop_sidecar()
    np.testing.assert_array_equal(sl.Labeller(IMAGE, name="gold").labels, np.full(lab.shape, 2))


def test_a_backup_brings_its_classes(own_dirs):
    lab = labelled(name="classes")
    lab.fresh_start()
    lab = sl.Labeller(IMAGE, ["only"], name="classes", fresh=True)
    lab.restore(lab.backups()[0])
    assert lab.classes == ("matrix", "pore")
    assert lab.labels.max() == 2


@pytest.mark.parametrize(
    "name", ["labels-2026-01-01T00-00-00-000Z.bak", "../labels.journal", "session.json", "x", "", 7]
)
def test_a_backup_that_does_not_exist_is_refused_with_those_that_do_and_nothing_changes(own_dirs, name):
    lab = labelled(name="refused")
    says = re.escape(f"backup is {name!r}, which is no backup of this session; an entry of lab.backups() will do")
    with pytest.raises(sl.LabelError, match=f"^{says}: this session has none\\.$"):
        lab.restore(name)
    assert np.count_nonzero(lab.labels) == 600 and lab.backups() == ()
    lab.fresh_start()
    (backup,) = lab.backups()
    with pytest.raises(sl.LabelError, match=f"^{says}: this session has {re.escape(repr(backup.name))}\\.$"):
        lab.restore(name)
    assert lab.backups() == (backup,)


def test_a_backup_of_another_size_is_listed_and_refused(own_dirs):
    labelled(name="sizes").close()
    lab = sl.Labeller(IMAGE[:20], name="sizes", fresh=True)
    (backup,) = lab.backups()
    assert backup.labelled is None and "another size" in repr(lab.backups())
    with pytest.raises(sl.LabelError, match=f"^backup is {re.escape(repr(backup.name))}.*another size"):
        lab.restore(backup)
