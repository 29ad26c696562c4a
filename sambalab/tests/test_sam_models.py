"""The choice of the SAM model that suggests, and the command ``sambalab models``."""

import subprocess
import sys

import numpy as np
import pytest

import sambalab as sl
from sambalab.__main__ import main
from sambalab.tests.typescript import typescript

IMAGE = np.hstack([np.full((200, 150), 60, np.uint8), np.full((200, 150), 200, np.uint8)])

WRITE = """
import { findPromptModel } from './models';
import { writeRandomModel } from '../../kernel-server/src/__tests__/support/random-model';
writeRandomModel(FOLDER, findPromptModel('sam2.1-tiny'));
console.log('true');
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Make a folder with a small SAM 2.1 of random weights."""
    folder = tmp_path_factory.mktemp("source")
    assert typescript(WRITE.replace("FOLDER", repr(str(folder))), [], folder)
    return folder / "sam2.1-tiny"


@pytest.fixture
def jupyter(tmp_path, monkeypatch):
    """Give Jupyter a data directory of its own."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "jupyter/sambalab/models"


def test_a_model_is_added_then_chosen_and_a_broken_one_leaves_the_choice_as_it_was(own_dirs, models, jupyter, capfd):
    lab = sl.Labeller(IMAGE, name="models")
    assert lab.sam_model == "mobile-sam"
    before = lab.suggest(100, 220)
    with pytest.raises(
        sl.ModelError, match=r"The files of SAM 2\.1 tiny are not here.*sambalab models add sam2\.1-tiny"
    ):
        lab.sam_model = "sam2.1-tiny"
    assert main(["models", "add", "sam2.1-tiny", str(models / "encoder.onnx"), str(models / "decoder.onnx")]) == 0
    assert str(jupyter / "sam2.1-tiny") in capfd.readouterr().out
    known = {model.id: model for model in sl.sam_models()}
    assert known["sam2.1-tiny"].state == "ready" and known["sam2.1-tiny"].folder == str(jupyter / "sam2.1-tiny")
    assert known["sam-vit-b"].state == "missing" and "sam-vit-b" in known["sam-vit-b"].problem
    assert known["mobile-sam"].state == "ready" and known["mobile-sam"].folder is None
    lab.sam_model = "sam2.1-tiny"
    masks, scores = lab.suggest(100, 220)
    # The random model's masks are discs around the point, of 80, 120 and 160 pixels of a frame of 1024.
    assert masks[0, 100, 220] and masks[0].mean() == pytest.approx(np.pi * 80**2 / 1024**2, rel=0.05)
    assert lab.embedding.shape == (256, 64, 64) and len(scores) == 3

    decoder = jupyter / "sam2.1-tiny/decoder.onnx"
    decoder.write_bytes(decoder.read_bytes()[:1000])
    with pytest.raises(
        sl.ModelError, match=rf"The file {decoder} is not the decoder of SAM 2\.1 tiny: it is cut short"
    ):
        sl.Labeller(IMAGE, name="other", sam_model="sam2.1-tiny")
    assert main(["models", "verify", "sam2.1-tiny"]) == 1 and "it is cut short" in capfd.readouterr().out
    lab.sam_model = "mobile-sam"
    np.testing.assert_array_equal(lab.suggest(100, 220).masks, before.masks)
    lab.sam_model = models  # a folder of the model's name
    assert lab.sam_model == str(models)
    np.testing.assert_array_equal(lab.suggest(100, 220).masks, masks)
    for wrong in (3, ""):
        with pytest.raises(sl.ParameterError, match="the id of a model or the path of a folder will do"):
            lab.sam_model = wrong


def test_the_command_says_what_it_does(jupyter, capfd):
    done = subprocess.run([sys.executable, "-m", "sambalab", "models", "list"], capture_output=True, text=True)
    assert done.returncode == 0 and "mobile-sam" in done.stdout and "not here  (SAM ViT-B, Apache-2.0)" in done.stdout
    assert main([]) == 2 and main(["models"]) == 2
    capfd.readouterr()
    for words in (
        ["--help"],
        ["-h"],
        ["models", "--help"],
        *(["models", each, "--help"] for each in ("list", "add", "verify")),
    ):
        assert main(words) == 0
        printed = capfd.readouterr()
        assert printed.out.startswith("Usage: sambalab models list") and printed.err == ""
    assert main(["models", "verify"]) == 0
    verified = capfd.readouterr().out
    assert verified.startswith("mobile-sam: built in: its SHA-256 sums are those that are known")
    assert "No other model is here. `sambalab models add MODEL ENCODER DECODER` takes one" in verified
