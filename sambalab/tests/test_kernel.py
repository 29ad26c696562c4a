"""In a real kernel: the comm is opened as a browser opens it, on a subshell, while a cell runs."""

import json
import os
import time
import uuid

import pytest

from sambalab.sidecar_client.wire import Assembler, encode

from .sidecar_client.test_relay import patch

jupyter_client = pytest.importorskip("jupyter_client")
ipykernel = pytest.importorskip("ipykernel")

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("sidecar_dirs")]

SUBSHELLS = int(ipykernel.__version__.split(".")[0]) >= 7


class Browser:
    """One kernel connection and one comm, as `src/kernel-bridge/live-comm.ts` uses them."""

    def __init__(self, client, subshell):
        self.client = client
        self.subshell = subshell
        self.comm = uuid.uuid4().hex
        self.iopub = []
        self.messages = []
        self.assembler = Assembler()
        self._send("comm_open", {"comm_id": self.comm, "target_name": "sambalab", "data": {}})

    def _send(self, kind, content, buffers=None):
        session = self.client.session
        message = session.msg(kind, content)
        message["header"]["subshell_id"] = self.subshell
        session.send(self.client.shell_channel.socket, message, buffers=buffers)
        return message["header"]["msg_id"]

    def execute(self, code):
        session = self.client.session
        message = session.msg("execute_request", {"code": code, "silent": False, "store_history": True})
        session.send(self.client.shell_channel.socket, message)
        return message["header"]["msg_id"]

    def pump(self, seconds=0.2):
        """Take what the kernel publishes."""
        socket = self.client.iopub_channel.socket
        if socket.poll(int(seconds * 1000)):
            _, frames = self.client.session.feed_identities(socket.recv_multipart())
            message = self.client.session.deserialize(frames)
            self.iopub.append(message)
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.comm:
                decoded = self.assembler.accept([bytes(buffer) for buffer in message["buffers"]])
                if decoded:
                    self.messages.append(decoded)

    def wait(self, wanted, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in self.iopub:
                if wanted(message):
                    return message
            self.pump()
        said = [(m["msg_type"], m["parent_header"].get("msg_id"), str(m["content"])[:200]) for m in self.iopub[-20:]]
        raise AssertionError(f"not among {said}")

    def idle(self, request):
        return self.wait(
            lambda m: (
                m["msg_type"] == "status"
                and m["content"]["execution_state"] == "idle"
                and m["parent_header"].get("msg_id") == request
            )
        )

    def is_idle(self, request):
        return any(
            m["msg_type"] == "status"
            and m["content"]["execution_state"] == "idle"
            and m["parent_header"].get("msg_id") == request
            for m in self.iopub
        )

    def ask(self, method, params, buffers=(), seconds=60):
        request = uuid.uuid4().hex
        for frames in encode({"id": request, "method": method, "params": params}, buffers):
            self._send("comm_msg", {"comm_id": self.comm, "data": {}}, [bytes(frame) for frame in frames])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for header, received in self.messages:
                if header.get("re") == request:
                    assert "error" not in header, header
                    return header["result"], received
            self.pump()
        raise AssertionError(f"{method} was not answered; heard {[h for h, _ in self.messages][-5:]}")

    def text(self, request):
        said = [
            m["content"]["text"]
            for m in self.iopub
            if m["msg_type"] == "stream" and m["parent_header"].get("msg_id") == request
        ]
        return "".join(said)


@pytest.fixture
def kernel():
    manager = jupyter_client.KernelManager(kernel_name="python3")
    manager.start_kernel(env={**os.environ, "JPY_SESSION_NAME": "test.ipynb"})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def subshell_of(client):
    if not SUBSHELLS:
        return None
    message = client.session.msg("create_subshell_request", {})
    client.session.send(client.control_channel.socket, message)
    return client.get_control_msg(timeout=30)["content"]["subshell_id"]


def run(client, code):
    """Run a cell to its end and give what it printed."""
    said = []
    reply = client.execute_interactive(
        code,
        timeout=90,
        output_hook=lambda m: said.append(m["content"].get("text", "")) if m["msg_type"] == "stream" else None,
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(said)


START = """
import numpy as np, sambalab as sl
lab = sl.Labeller(np.arange(300 * 280, dtype=np.uint16).reshape(300, 280), ["a", "b"])
print(lab.session)
"""


class Stub:
    def __init__(self, session):
        self.session = session
        self.shape = (300, 280)


@pytest.mark.skipif(not SUBSHELLS, reason="needs subshells: ipykernel 7")
@pytest.mark.parametrize(
    "busy",
    ["import time; time.sleep(6)", "import time\nend = time.time() + 6\nwhile time.time() < end: pass"],
    ids=["sleeps", "computes"],
)
def test_labels_are_painted_and_acknowledged_while_a_cell_runs(kernel, busy):
    lab = Stub(run(kernel, START).strip())
    browser = Browser.__new__(Browser)
    subshell = subshell_of(kernel)
    cell = Browser.execute(
        _bare(browser, kernel, subshell), "print('begins')\n" + busy + "\nprint(int(lab.labels[0, 0]))"
    )
    browser.wait(lambda m: m["msg_type"] == "stream" and "begins" in m["content"]["text"])
    Browser.__init__(browser, kernel, subshell)
    browser.ask("hello", {"role": "browser", "version": "0"})
    browser.ask("session.attach", {"session": lab.session})
    for value in (1, 2, 1, 2):
        browser.ask("labels.patch", *patch(lab, value))
    assert not browser.is_idle(cell), "the cell was over before the labels were acknowledged"
    browser.idle(cell)
    # The cell itself saw the labels that were painted while it ran.
    assert browser.text(cell).split()[-1] == "2"


def _bare(browser, client, subshell):
    browser.client, browser.subshell = client, subshell
    browser.comm, browser.iopub, browser.messages, browser.assembler = "", [], [], Assembler()
    return browser


def test_between_cells_it_works_on_the_main_shell_too(kernel):
    lab = Stub(run(kernel, START).strip())
    browser = Browser(kernel, None)
    browser.ask("session.attach", {"session": lab.session})
    browser.ask("labels.patch", *patch(lab, 1))
    assert run(kernel, "print(int((lab.labels == 1).sum()))").strip() == str(256 * 256)


@pytest.mark.skipif(not SUBSHELLS, reason="needs subshells: ipykernel 7")
def test_messages_do_not_show_the_half_drawn_figure_of_the_running_cell(kernel):
    pytest.importorskip("matplotlib")
    lab = Stub(run(kernel, START).strip())
    run(kernel, "%matplotlib inline\nimport matplotlib.pyplot as plt")
    subshell = subshell_of(kernel)
    browser = Browser(kernel, subshell)
    browser.ask("session.attach", {"session": lab.session})
    cell = browser.execute(
        "import time\nplt.plot([1, 2])\nprint('half')\ntime.sleep(3)\nplt.title('whole')\nplt.plot([2, 1]);"
    )
    browser.wait(lambda m: m["msg_type"] == "stream" and "half" in m["content"]["text"])
    for value in (1, 2, 1):
        browser.ask("labels.patch", *patch(lab, value))
    assert not browser.is_idle(cell)
    browser.idle(cell)
    figures = [m for m in browser.iopub if m["msg_type"] in ("display_data", "update_display_data")]
    assert len(figures) == 1
    assert figures[0]["parent_header"]["msg_id"] == cell


def test_a_kernel_restart_finds_the_session_by_its_variable(kernel):
    session = run(kernel, START).strip()
    run(kernel, "lab.set_labels((np.arange(300 * 280).reshape(300, 280) % 7 == 0).astype(int) * 2)")
    manager = kernel.parent
    manager.restart_kernel(now=True)
    kernel.wait_for_ready(timeout=60)
    assert run(kernel, "# another first line\n\n" + START).strip() == session
    assert run(kernel, "print(int((lab.labels == 2).sum()))").strip() == "12000"
    assert "12,000 labelled pixels" in run(kernel, "print(repr(lab))")


def test_the_session_of_a_cell_is_found_by_its_id(kernel):
    run(kernel, "import numpy as np, sambalab as sl\nimage = np.zeros((9, 9), np.uint8)\nfound = []")

    def run_in_cell(cell):
        message = kernel.session.msg(
            "execute_request", {"code": "found.append((lambda lab: lab.session)(sl.Labeller(image)))", "silent": False}
        )
        message["metadata"]["cellId"] = cell
        kernel.session.send(kernel.shell_channel.socket, message)
        kernel.get_shell_msg(timeout=60)

    for cell in ("first", "second", "first"):
        run_in_cell(cell)
    first, second, again = json.loads(run(kernel, "import json; print(json.dumps(found))"))
    assert first == again != second


def test_the_widget_is_shown_by_the_last_line_of_a_cell(kernel):
    run(kernel, START)
    shown = []
    kernel.execute_interactive(
        "lab", timeout=60, output_hook=lambda m: shown.append(m) if m["msg_type"] == "execute_result" else None
    )
    assert "application/vnd.jupyter.widget-view+json" in shown[0]["content"]["data"]
    assert shown[0]["content"]["data"]["text/plain"].startswith("Labeller(300 × 280, uint16; classes a, b)")


def test_a_cell_that_runs_again_shows_the_same_widget_and_leaves_nothing(kernel):
    opened, shown = [], []

    def hear(message):
        if message["msg_type"] == "comm_open" and "LabellerModel" in str(message["content"]["data"]):
            opened.append(message["content"]["comm_id"])
        if message["msg_type"] == "execute_result":
            shown.append(message["content"]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"])

    cell = START.replace("print(lab.session)", "lab")
    for _ in range(4):
        kernel.execute_interactive(cell, timeout=60, output_hook=hear)
    assert len(opened) == 1 and shown == opened * 4
    # A labeller without a variable stays in its cell's output.
    kernel.execute_interactive(
        "display(sl.Labeller(np.eye(9)))\nimport gc; _ = gc.collect()", timeout=60, output_hook=hear
    )
    assert len(opened) == 2
    closed = []
    kernel.execute_interactive(
        "lab.close()",
        timeout=60,
        output_hook=lambda m: closed.append(m["content"]["comm_id"]) if m["msg_type"] == "comm_close" else None,
    )
    assert closed == opened[:1]


def test_a_training_that_fails_says_so_once_and_ends_its_line(kernel):
    run(kernel, START)
    told, printed = [], []

    def hear(message):
        if message["msg_type"] == "error":
            told.append(message["content"]["evalue"])
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    kernel.execute_interactive("lab.train()", timeout=60, output_hook=hear)
    assert len(told) == 1 and told[0] not in "".join(printed)
    assert "".join(printed)[-1:] in ("", "\n")


def test_interrupting_the_kernel_stops_a_training(kernel):
    run(
        kernel,
        "import numpy as np, sambalab as sl\nimage, truth = sl.data.micrograph('grains', (1200, 1200))\n"
        "lab = sl.Labeller(image, ['a', 'b', 'c'])\nlab.set_labels(truth)",
    )
    browser = _bare(Browser.__new__(Browser), kernel, None)
    cell = browser.execute("lab.train(trees=2000, max_depth=40, max_samples=1_000_000)")
    browser.wait(lambda m: m["msg_type"] == "stream" and "Training [" in m["content"]["text"])
    kernel.parent.interrupt_kernel()
    error = browser.wait(lambda m: m["msg_type"] == "error" and m["parent_header"].get("msg_id") == cell)
    assert error["content"]["ename"] == "KeyboardInterrupt"
    browser.idle(cell)
    assert run(kernel, "print(lab.segmentation_version)").strip() == "0"
