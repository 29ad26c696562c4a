"""Python's import walls (``[tool.importlinter]`` in pyproject.toml): the sources keep to them, and a wrong import is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


@pytest.fixture
def copy(tmp_path):
    """Copy the package's sources, without tests and built files."""
    left_out = shutil.ignore_patterns("server", "labextension", "__pycache__", "tests")
    shutil.copytree(ROOT / "sambalab", tmp_path / "sambalab", ignore=left_out)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "sambalab/tests").mkdir()
    (tmp_path / "sambalab/tests/__init__.py").touch()
    return tmp_path


def lint(folder):
    return subprocess.run([sys.executable, "-c", LINT, "--no-cache"], cwd=folder, capture_output=True, text=True)


def test_the_sources_keep_to_the_walls(copy):
    done = lint(copy)
    assert done.returncode == 0 and "2 kept, 0 broken" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        ("spec/features.py", "from ..files import images", "sambalab.spec.features -> sambalab.files.images"),
        ("wasm/stack.py", "from ..sidecar_client import wire", "sambalab.wasm.stack -> sambalab.sidecar_client.wire"),
        ("classifier.py", "from . import labeller", "sambalab.classifier -> sambalab.labeller"),
        (
            "files/data.py",
            "def late(): from ..classifier import Classifier",
            "sambalab.files.data -> sambalab.classifier",
        ),
        ("spec/errors.py", "def late(): from .scores import Scores", "No cycles are allowed in sambalab.spec"),
    ],
)
def test_a_wrong_import_is_found_and_named(copy, file, line, named):
    source = copy / "sambalab" / file
    source.write_text(f"{source.read_text('utf-8')}\n{line}\n", "utf-8")
    done = lint(copy)
    assert done.returncode == 1
    assert named in " ".join(done.stdout.split()), done.stdout
