"""Other users of the computer, who set traps where everybody may write."""

import os
import subprocess
import sys

import numpy as np
import pytest

import sambalab as sl
from sambalab.sidecar_client import arrays, sidecar
from sambalab.tests.conftest import folders

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX"),
    pytest.mark.usefixtures("own_dirs"),
]
NOBODY = 65534
second_user = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root acts as another user"
)

IMAGE = np.arange(600, dtype=np.uint8).reshape(20, 30)


@pytest.fixture
def shared(own_dirs):
    """Give a folder as /tmp is: everybody writes into it."""
    own_dirs.chmod(0o711)
    path = own_dirs / "shared"
    path.mkdir()
    path.chmod(0o1777)
    return path


def as_neighbour(script, *args):
    subprocess.run(["/bin/sh", "-ec", script, "sh", *map(str, args)], user=NOBODY, group=NOBODY, cwd="/", check=True)


@second_user
@pytest.mark.parametrize("deep", ["run", "run/deep"])
def test_a_runtime_folder_that_a_neighbour_has_made_is_refused_and_no_file_changes(shared, monkeypatch, deep):
    precious = shared.parent / "precious"
    precious.write_text("a thesis")
    as_neighbour(
        'mkdir "$1/run" "$1/run/deep"; chmod 777 "$1/run" "$1/run/deep"; '
        'for f in json lock log old.log; do for d in run run/deep; do ln -s "$2" "$1/$d/sidecar-1.$f"; done; done',
        shared,
        precious,
    )
    monkeypatch.setenv("SAMBALAB_RUNTIME_DIR", str(shared / deep))
    with pytest.raises(sl.SidecarError, match=rf"run belongs to user {NOBODY}, not to you.*Set SAMBALAB_RUNTIME_DIR"):
        sl.Labeller(IMAGE)
    assert precious.read_text() == "a thesis"
    assert (shared / deep).stat().st_mode & 0o777 == 0o777


@second_user
def test_a_neighbours_link_in_place_of_the_runtime_folder_is_refused(shared, monkeypatch):
    own = shared.parent / "own"
    own.mkdir(mode=0o700)
    as_neighbour('ln -s "$1" "$2"', own, shared / "run")
    monkeypatch.setenv("SAMBALAB_RUNTIME_DIR", str(shared / "run"))
    with pytest.raises(sl.SidecarError, match=rf"run belongs to user {NOBODY}"):
        sidecar.ensure()
    assert list(own.iterdir()) == []


def test_a_runtime_folder_where_others_may_replace_it_is_refused(shared, monkeypatch):
    shared.chmod(0o777)
    monkeypatch.setenv("SAMBALAB_RUNTIME_DIR", str(shared / "run"))
    with pytest.raises(sl.SidecarError, match=r"has mode 0777: others may replace what is in it"):
        sidecar.ensure()
    assert list(shared.iterdir()) == []  # refused before anything is made, and before a sidecar starts


@second_user
def test_a_neighbours_runtime_folder_in_a_folder_of_ones_own_is_refused_and_keeps_its_mode(own_dirs, monkeypatch):
    run = own_dirs / "run"
    run.mkdir()
    os.chown(run, NOBODY, NOBODY)
    run.chmod(0o777)
    with pytest.raises(sl.SidecarError, match=rf"folder \S+run belongs to user {NOBODY}, not to you"):
        sidecar.ensure()
    assert run.stat().st_mode & 0o777 == 0o777 and list(run.iterdir()) == []


def test_a_link_of_the_users_own_leads_to_the_runtime_folder(own_dirs, monkeypatch):
    (own_dirs / "scratch").mkdir(mode=0o755)
    (own_dirs / "run").symlink_to("scratch")
    info = sidecar.ensure()
    assert sidecar.ensure() == info
    assert (own_dirs / "scratch").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["lock", "log"])
def test_a_link_in_place_of_lock_or_log_is_not_written_through(own_dirs, name):
    precious = own_dirs / "precious"
    precious.write_text("a thesis")
    (own_dirs / "run").mkdir(mode=0o700)
    (own_dirs / "run" / f"sidecar-1.{name}").symlink_to(precious)
    if name == "lock":
        with pytest.raises(sl.SidecarError, match=r"sidecar-1\.lock cannot be opened"):
            sidecar.ensure()
    else:
        sidecar.ensure()  # the link became the old log
    assert precious.read_text() == "a thesis"


def test_a_pipe_in_place_of_the_lock_is_refused(own_dirs):
    (own_dirs / "run").mkdir(mode=0o700)
    os.mkfifo(own_dirs / "run/sidecar-1.lock")
    with pytest.raises(sl.SidecarError, match=r"sidecar-1\.lock is not a regular file"):
        sidecar.ensure()


@second_user
def test_a_sidecar_of_python_works_beside_a_trap_in_shared_memory(shared, monkeypatch):
    as_neighbour(f'mkdir -m 777 "$1/sambalab-{os.getuid()}"', shared)
    with folders():
        monkeypatch.setenv("SAMBALAB_ARRAYS_DIR", str(shared))
        lab = sl.Labeller(IMAGE, name="beside a trap")
        lab.set_labels(IMAGE % 3)
        np.testing.assert_array_equal(lab.labels, IMAGE % 3)
        assert os.listdir(shared / f"sambalab-{os.getuid()}") == []


@pytest.mark.parametrize("trap", ["link", "hard link", "fifo"])
def test_an_array_in_whose_place_is_another_file_is_neither_read_nor_written(own_dirs, trap):
    precious = own_dirs / "precious"
    precious.write_bytes(bytes(600))
    path = own_dirs / "array.bin"
    if trap == "link":
        path.symlink_to(precious)
    elif trap == "hard link":
        path.hardlink_to(precious)
    else:
        os.mkfifo(path)
    descriptor = {"path": str(path), "dtype": "uint8", "shape": [20, 30]}
    with pytest.raises(sl.SidecarError, match=r"array\.bin (is not the file|cannot be opened)"):
        arrays.map_array(descriptor)
    with pytest.raises(sl.SidecarError, match=r"array\.bin (is not the file|cannot be opened)"):
        arrays.write_array(descriptor, IMAGE)
    assert precious.read_bytes() == bytes(600)


@second_user
def test_an_array_of_another_user_is_neither_read_nor_written(own_dirs):
    path = own_dirs / "array.bin"
    path.write_bytes(bytes(600))
    os.chown(path, NOBODY, NOBODY)
    descriptor = {"path": str(path), "dtype": "uint8", "shape": [20, 30]}
    with pytest.raises(sl.SidecarError, match=rf"array\.bin belongs to user {NOBODY}, not to you"):
        arrays.map_array(descriptor)
    with pytest.raises(sl.SidecarError, match=rf"array\.bin belongs to user {NOBODY}, not to you"):
        arrays.write_array(descriptor, IMAGE)
    assert path.read_bytes() == bytes(600)
