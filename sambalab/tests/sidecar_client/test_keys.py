"""The key by which a session is found again."""

import sys

import pytest

from sambalab.sidecar_client import keys


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
