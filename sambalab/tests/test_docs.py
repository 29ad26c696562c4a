"""What the documents say of Python: each name and argument in their examples exists."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import sambalab as sl
from sambalab import engine

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path for path in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md") if path.is_file())

#: What the names of the examples stand for.
NAMES = {
    "sl": sl,
    "sambalab": sl,
    "lab": sl.Labeller,
    "other_lab": sl.Labeller,
    "classifier": sl.Classifier,
    "lab.classifier": sl.Classifier,
    "engine": engine,
}


#: Those that also stand in sentences; others are names of files there.
IN_SENTENCES = ("sl", "lab", "other_lab", "lab.classifier")


def calls(text):
    """Give the calls and attributes in code blocks, and those of labellers in sentences."""
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    for code in (*blocks, *spans):
        try:
            nodes = list(ast.walk(ast.parse(code.strip())))
        except SyntaxError:
            continue  # no Python, such as a key or a file's ending
        for node in nodes:
            if isinstance(node, ast.Attribute):
                name = ast.unparse(node.value)
                if name in NAMES and (code in blocks or name in IN_SENTENCES):
                    yield node, NAMES[name], next((call for call in nodes if getattr(call, "func", None) is node), None)


@pytest.mark.skipif(not DOCUMENTS, reason="the documents are in the source tree alone")
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_examples_name_only_what_there_is(path):
    wrong = []
    for node, owner, call in calls(path.read_text("utf-8")):
        if not hasattr(owner, node.attr):
            wrong.append(f"{ast.unparse(node)} does not exist")
        elif call is not None:
            signature = inspect.signature(getattr(owner, node.attr))
            # A parameter of that name takes unknown ones, to name them in its error.
            known = [each for each in signature.parameters.values() if each.name not in ("self", "unknown")]
            try:
                signature.replace(parameters=known).bind(
                    *call.args, **{word.arg: word for word in call.keywords if word.arg}
                )
            except TypeError as error:
                wrong.append(f"{ast.unparse(call)}: {error}; it has {', '.join(each.name for each in known)}")
    assert not wrong, "\n".join(wrong)


def test_python_md_names_all_of_a_labeller():
    path = ROOT / "docs" / "python.md"
    if not path.is_file():
        pytest.skip("the documents are in the source tree alone")
    text = path.read_text("utf-8")
    public = [name for name in dir(sl.Labeller) if not name.startswith("_")]
    assert [name for name in public if not re.search(rf"\b{name}\b", text)] == []
