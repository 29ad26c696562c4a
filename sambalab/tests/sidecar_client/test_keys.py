"""The key by which a session is found again."""

import os
import subprocess
import sys

import pytest

from sambalab.sidecar_client import keys
from sambalab.spec.tables import parameter_limits


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
    assert keys.session_key(None, "0" * 64).key.split("from")[0] == first.key.split("from")[0]
    assert first.origin is not None and first.origin["document"] == "a.ipynb"
    assert keys.session_key(None, "1" * 64) != first
    monkeypatch.setenv("JPY_SESSION_NAME", "b.ipynb")
    assert keys.session_key(None, "0" * 64) != first
    assert keys.session_key("gold", "0" * 64) == keys.session_key("gold", "1" * 64)


def test_a_key_is_never_longer_than_the_protocol_takes(monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "x" * 4000)
    key = keys.session_key(None, "0" * 64).key
    assert len(key) <= 1000


def test_limits_of_the_origin_are_those_of_the_protocol():
    known = parameter_limits("session.open")["origin"]
    parts = next(form["properties"] for form in known["anyOf"] if form["type"] == "object")
    assert parts["document"]["maxLength"] == keys._DOCUMENT_MAX and parts["place"]["maxLength"] == keys._PLACE_MAX


def test_a_name_inherited_from_the_parent_process_is_not_the_notebook():
    # As in a kernel of nbconvert, which a cell of another notebook started.
    code = "from sambalab.sidecar_client import keys; print(keys._session_name())"
    child = [sys.executable, "-c", code]
    parent = f"import os, subprocess; os.environ['JPY_SESSION_NAME'] = 'a.ipynb'; subprocess.run({child!r}, check=True)"
    outer = {name: value for name, value in os.environ.items() if name != "JPY_SESSION_NAME"}
    # psutil reads the environment with which a process began: the parent itself must be started with the name.
    inherited = subprocess.run(
        [sys.executable, "-c", f"import subprocess; subprocess.run({child!r}, check=True)"],
        env={**outer, "JPY_SESSION_NAME": "a.ipynb"},
        capture_output=True,
        text=True,
        check=True,
    )
    given = subprocess.run([sys.executable, "-c", parent], env=outer, capture_output=True, text=True, check=True)
    assert inherited.stdout.strip() == "None"
    assert given.stdout.strip() == "a.ipynb"
