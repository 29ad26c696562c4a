"""Built tables: constants of modules that load without them equal theirs, and a missing or older build is named."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sambalab
from sambalab.sidecar_client import wire
from sambalab.spec import forest
from sambalab.spec.tables import limits, parameter_limits


def test_constants_of_messages_are_those_of_the_protocol():
    messages = limits("messages")
    assert limits()["protocol"] == wire.PROTOCOL_VERSION
    assert messages["bytes"] == wire.MESSAGE_BYTES_MAX and messages["headerBytes"] == wire.HEADER_BYTES_MAX
    assert messages["chunkBytes"] == wire.CHUNK_BYTES and messages["unfinished"] == wire._ASSEMBLIES_MAX


def test_constants_of_forests_are_those_of_the_engine():
    assert limits("classifier")["cuts"] == forest.CUTS_MAX
    assert parameter_limits("forest")["maxDepth"]["maximum"] == forest.DEPTH_MAX


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package, whose build may be spoilt."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(
        Path(sambalab.__file__).parent,
        folder / "sambalab",
        ignore=shutil.ignore_patterns("tests", "labextension", "__pycache__", "*.map"),
    )
    return folder


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (None, "is missing"),
        (lambda text: text[:100], "is damaged"),
        (lambda text: "{}", "was built from other sources: it has no '"),
        (
            lambda text: json.dumps({**json.loads(text), "classes": {}}),
            "was built from other sources: it has no 'count'",
        ),
        (lambda text: json.dumps({**json.loads(text), "parameters": {}}), "was built from other sources: it has no '"),
    ],
    ids=["missing", "cut", "empty", "older classes", "older parameters"],
)
def test_limits_that_are_missing_or_of_another_build_say_to_build(copied, spoil, says):
    table = copied / "sambalab/server/limits.json"
    whole = table.read_text("utf-8")
    if spoil is None:
        table.unlink()
    else:
        table.write_text(spoil(whole), "utf-8")
    script = "import numpy as np, sambalab as sl; sl.Labeller; sl.engine.train(np.eye(8), np.eye(8, dtype=int))"
    try:
        done = subprocess.run([sys.executable, "-c", script], cwd=copied, env={}, capture_output=True, text=True)
    finally:
        table.write_text(whole, "utf-8")
    last = done.stderr.strip().splitlines()[-1]
    assert re.search(rf"SambaLabError: \S+limits\.json {says}", last)
    assert "npm run build" in last
