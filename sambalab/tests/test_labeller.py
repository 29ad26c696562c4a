"""Labellers on the real sidecar: sessions, labels, learning, suggestions."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from scipy import ndimage

import sambalab as sl
from sambalab.sidecar_client import sidecar

from .conftest import SAMBA, kill

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (96, 128)


@pytest.fixture(scope="module")
def micrograph():
    return sl.data.micrograph("particles", SHAPE, seed=3)


def some_labels(truth, part=0.05, seed=0):
    chosen = np.random.default_rng(seed).random(truth.shape) < part
    return np.where(chosen, truth, 0).astype(np.uint8)


def test_labels_are_live_and_read_only(micrograph):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="live")
    before = lab.labels
    assert before.shape == SHAPE and before.dtype == np.uint8 and not before.any()
    drawn = some_labels(micrograph.truth)
    lab.set_labels(drawn)
    # The older array shows them without another call.
    np.testing.assert_array_equal(before, drawn)
    with pytest.raises(ValueError, match="read-only"):
        before[0, 0] = 1
    lab.set_labels(np.zeros(SHAPE, bool))
    assert not before.any()


def test_the_image_is_as_it_was_given(micrograph):
    lab = sl.Labeller(micrograph.image, name="image")
    np.testing.assert_array_equal(lab.image, micrograph.image)
    assert isinstance(lab.image, np.memmap) and not lab.image.flags.writeable
    assert lab.classes == ("1", "2") and lab.class_ids == {"1": 1, "2": 2}


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 40, 50), (40, 50, 3), (2, 1, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64", "bool"])
def test_every_shape_and_dtype_can_be_labelled(shape, dtype):
    image = (np.arange(np.prod(shape)).reshape(shape) % 2).astype(dtype)
    lab = sl.Labeller(image, name=f"{shape} {dtype}")
    labels_shape = shape[:2] if len(shape) == 3 and shape[-1] == 3 else shape
    assert lab.shape == lab.labels.shape == labels_shape
    drawn = np.zeros(labels_shape, np.int64)
    drawn.flat[-1] = 2
    lab.set_labels(drawn)
    np.testing.assert_array_equal(lab.labels, drawn)
    np.testing.assert_array_equal(lab.image, image * (255 if dtype == "bool" else 1))
    lab.close()


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros((96, 127), np.uint8), r"\(96, 127\).*\(96, 128\)"),
        (np.zeros((1, *SHAPE), np.uint8), r"\(1, 96, 128\)"),
        (np.zeros(SHAPE), "float64"),
        (np.full(SHAPE, 3), r"no class 3; ids are 1 \(1\), 2 \(2\)"),
        (np.full(SHAPE, -1), "-1"),
        (np.full(SHAPE, 256), "256"),
    ],
)
def test_invalid_labels_are_named_and_change_nothing(micrograph, labels, says):
    lab = sl.Labeller(micrograph.image, ["1", "2"], name="misfit")
    drawn = some_labels(micrograph.truth)
    lab.set_labels(drawn)
    with pytest.raises(sl.LabelError, match=says):
        lab.set_labels(labels)
    np.testing.assert_array_equal(lab.labels, drawn)


def test_masked_pixels_of_label_arrays_stay_unlabelled(micrograph):
    lab = sl.Labeller(micrograph.image, ["a", "b"], name="masked")
    drawn, hidden = some_labels(micrograph.truth), np.random.default_rng(0).random(SHAPE) < 0.5
    under = np.where(hidden, 77, drawn)  # values under the mask do not matter
    lab.set_labels(np.ma.masked_array(under, mask=hidden))
    np.testing.assert_array_equal(lab.labels, np.where(hidden, 0, drawn))
    lab.set_labels(np.ma.masked_array(drawn > 0, mask=hidden))
    np.testing.assert_array_equal(lab.labels, np.where(hidden, 0, drawn > 0))


def test_new_ids_become_classes_if_no_classes_were_given(micrograph):
    lab = sl.Labeller(micrograph.image, name="new ids")
    drawn = some_labels(micrograph.truth).astype(np.int64)
    drawn[0, :9], drawn[1, :9] = 5, 255
    lab.set_labels(drawn)
    np.testing.assert_array_equal(lab.labels, drawn)
    assert lab.class_ids == {"1": 1, "2": 2, "class 5": 5, "class 255": 255}
    lab.set_labels(np.where(drawn == 5, 3, 0))
    assert list(lab.class_ids) == ["1", "2", "class 5", "class 255", "class 3"]  # the order of the list stays
    again = sl.Labeller(micrograph.image, name="new ids")
    assert again.class_ids == lab.class_ids and (again.labels == lab.labels).all()
    for wrong in (-1, 256):
        with pytest.raises(sl.LabelError, match=rf"no class {wrong}; .* of new classes 1 to 255"):
            lab.set_labels(np.full(SHAPE, wrong))
    given = sl.Labeller(micrograph.image, ["1", "2"], name="new ids given")
    with pytest.raises(sl.LabelError, match=r"no class 5, 255; ids are 1 \(1\), 2 \(2\), and 0"):
        given.set_labels(drawn)


def test_a_named_session_is_found_again_and_says_so(micrograph):
    drawn = some_labels(micrograph.truth)
    sl.Labeller(micrograph.image, ["a", "b"], name="again").set_labels(drawn)
    lab = sl.Labeller(micrograph.image, ["a", "b"], name="again")
    np.testing.assert_array_equal(lab.labels, drawn)
    assert f"{np.count_nonzero(drawn):,} labelled pixels" in repr(lab)
    lab.fresh_start()
    assert not lab.labels.any() and "were resumed" not in repr(lab)


def test_fresh_begins_without_older_labels(micrograph):
    sl.Labeller(micrograph.image, name="fresh").set_labels(some_labels(micrograph.truth))
    lab = sl.Labeller(micrograph.image, name="fresh", fresh=True)
    assert not lab.labels.any()


def test_without_a_name_image_and_variable_find_the_session(micrograph):
    first = sl.Labeller(micrograph.image)
    second = sl.Labeller(micrograph.image)
    assert first.session != second.session
    session = first.session
    for _ in range(2):
        first = sl.Labeller(micrograph.image)
        third = sl.Labeller(micrograph.image + 1)
    # `first` is in another line now, but it is the same variable.
    assert first.session == session and third.session not in (first.session, second.session)


def test_classes_of_the_cell_and_of_the_session_are_merged(micrograph):
    lab = sl.Labeller(micrograph.image, ["a", "b", "c"], name="classes")
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[0, 0] = 3
    lab.set_labels(drawn)
    lab = sl.Labeller(micrograph.image, {"x": "#010203", "b": "#040506"}, name="classes")
    assert lab.class_ids == {"x": 1, "b": 2, "c": 3}
    assert [item["color"] for item in lab._state["classes"]][:2] == ["#010203", "#040506"]
    assert sl.Labeller(micrograph.image, name="classes").classes == ("x", "b", "c")


def test_255_classes_work_and_256_do_not(micrograph):
    lab = sl.Labeller(micrograph.image, [str(i) for i in range(255)], name="many")
    drawn = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE) % 256
    lab.set_labels(drawn)
    np.testing.assert_array_equal(lab.labels, drawn)
    with pytest.raises(sl.LabelError, match="256"):
        sl.Labeller(micrograph.image, [str(i) for i in range(256)])


@pytest.mark.parametrize("name", ["", "x" * 996, 7])
def test_an_invalid_name_is_refused(micrograph, name):
    with pytest.raises(sl.ParameterError, match="name"):
        sl.Labeller(micrograph.image, name=name)


def test_the_direction_of_a_volume_is_set_and_refused_with_what_would_do(micrograph):
    lab = sl.Labeller(np.zeros((3, 20, 30), np.uint8), name="volume")
    assert lab.direction == "xy"
    lab.direction = "xz"
    assert lab.direction == "xz" and lab.widget.get_state()["direction"] == "xz"
    with pytest.raises(sl.ParameterError, match="'zx'; 'xy', 'xz' or 'yz' will do"):
        lab.direction = "zx"
    single = sl.Labeller(micrograph.image, name="single")
    single.direction = "xy"
    for flat in (single, sl.Labeller(np.zeros((3, 20, 30, 3), np.uint8), name="colour")):
        with pytest.raises(sl.ParameterError, match="only a stack of grey slices"):
            flat.direction = "yz"


def test_the_widget_carries_the_session_and_little_else(micrograph):
    lab = sl.Labeller(micrograph.image[::-1].copy(), name="widget")  # of which no other session has labels to tell of
    bundle = lab._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert data["text/plain"] == repr(lab)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.widget.model_id
    state = lab.widget.get_state()
    assert state["session"] == lab.session and state["title"] == "widget"
    assert (state["_model_module"], state["_model_name"], state["_view_name"]) == (
        "sambalab",
        "LabellerModel",
        "LabellerView",
    )
    assert len(repr(state)) < 4000
    lab.close()
    lab.close()
    with pytest.raises(sl.SidecarError, match="closed"):
        lab.train()


@pytest.mark.parametrize("attribute", ["segmentation", "probabilities", "uncertainty", "classifier"])
def test_before_training_the_error_says_what_to_do(micrograph, attribute):
    lab = sl.Labeller(micrograph.image, name="untrained")
    assert lab.segmentation_version == 0
    with pytest.raises(sl.NotTrainedError, match=r"lab\.train\(\)"):
        getattr(lab, attribute)


def test_training_without_labels_of_two_classes_is_refused(micrograph):
    lab = sl.Labeller(micrograph.image, name="few labels")
    with pytest.raises(sl.LabelError):
        lab.train(progress=False)
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[:4] = 1
    lab.set_labels(drawn)
    with pytest.raises(sl.LabelError):
        lab.train(progress=False)
    drawn[5:9] = 2
    lab.set_labels(drawn)
    assert lab.train(progress=False).classes == ("1", "2")


@pytest.fixture(scope="module")
def trained(micrograph, sidecar_dirs):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="trained")
    lab.set_labels(some_labels(micrograph.truth))
    lab.train(**SAMBA, trees=60, seed=1, progress=False)
    return lab


def test_training_segments_the_image(trained, micrograph):
    assert trained.segmentation_version >= 1
    assert trained.segmentation.shape == SHAPE and trained.segmentation.dtype == np.uint8
    assert (trained.segmentation == micrograph.truth).mean() > 0.95
    drawn = trained.labels != 0
    np.testing.assert_array_equal(trained.segmentation[drawn], trained.labels[drawn])


def test_probabilities_sum_to_one_and_agree_with_the_rest(trained):
    probabilities = trained.probabilities
    assert probabilities.shape == (*SHAPE, 2) and probabilities.dtype == np.float32
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    ordered = np.sort(probabilities, -1)
    np.testing.assert_allclose(trained.uncertainty, 1 - (ordered[..., -1] - ordered[..., -2]), atol=1e-5)
    undrawn = trained.labels == 0
    np.testing.assert_array_equal((probabilities.argmax(-1) + 1)[undrawn], trained.segmentation[undrawn])


def test_features_have_names(trained):
    names = trained.feature_names
    assert len(set(names)) == len(names) > 10
    assert trained.features.shape == (*SHAPE, len(names)) and trained.features.dtype == np.float32
    assert trained.classifier.feature_names == names
    np.testing.assert_allclose(trained.features[..., 0], trained.image, atol=1e-3)


def test_a_classifier_tells_about_itself(trained):
    classifier = trained.classifier
    assert classifier.n_trees == 60 and 0.9 < classifier.oob_score <= 1
    assert classifier.classes == ("matrix", "particle") and classifier.class_ids == (1, 2)
    assert classifier.n_samples == np.count_nonzero(trained.labels)
    assert "60 trees" in repr(classifier)


def test_a_classifier_segments_another_image(trained):
    image, truth = sl.data.micrograph("particles", (80, 70), seed=9)
    labels = trained.classifier.apply(image)
    assert labels.shape == (80, 70) and labels.dtype == np.uint8
    assert (labels == truth).mean() > 0.85
    probabilities = trained.classifier.apply(image, output="probabilities")
    assert probabilities.shape == (80, 70, 2)
    np.testing.assert_array_equal(probabilities.argmax(-1) + 1, labels)
    stack = trained.classifier.apply(np.stack([image, image]))
    np.testing.assert_array_equal(stack, np.stack([labels, labels]))


def test_a_classifier_gives_the_prediction_on_its_own_image(trained):
    np.testing.assert_array_equal(
        trained.classifier.apply(trained.image, output="probabilities"), trained.probabilities
    )


def test_a_classifier_refuses_other_channels_and_outputs(trained):
    with pytest.raises(sl.ParameterError, match="channel"):
        trained.classifier.apply(np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(sl.ParameterError, match="'labels' or 'probabilities'"):
        trained.classifier.apply(trained.image, output="masks")


def test_the_same_seed_gives_the_same_forest(micrograph):
    lab = sl.Labeller(micrograph.image, name="seeds")
    lab.set_labels(some_labels(micrograph.truth))
    results = []
    for seed in (5, 5, 6):
        lab.train(**SAMBA, trees=20, seed=seed, progress=False)
        results.append(lab.probabilities.copy())
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"trees": 0}, "trees is 0; a whole number from 1 to 2,000"),
        ({"trees": 10.5}, r"trees is 10\.5; a whole number"),
        ({"trees": "many"}, "trees is 'many'"),
        ({"trees": True}, "trees is True"),
        ({"max_depth": 1000}, "max_depth is 1000; .* 64"),
        ({"max_features": 0}, "max_features is 0"),
        ({"min_leaf": -1}, "min_leaf is -1"),
        ({"max_samples": 0}, "max_samples is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1 << 32}, "seed is 4294967296"),
        ({"balanced": "yes"}, "balanced is 'yes'; True or False"),
        ({"features": {"difference_of_gaussians": 1}}, "features.difference_of_gaussians is 1; True, False"),
        ({"features": {"sigmas": []}}, r"sigmas is \[\]; a list of 1 to 16 numbers"),
        ({"features": {"sigmas": [-1]}}, r"sigmas\.0 is -1; a number from 0\.1 to 64"),
        ({"features": {"sigmas": [float("nan")]}}, r"sigmas\.0 is nan"),
        ({"features": {"sigmas": [1, float("inf")]}}, r"sigmas\.1 is inf"),
        ({"features": {"sigmas": [2, 1]}}, r"sigmas is \[2, 1\]; numbers that ascend"),
        ({"features": {"sigmas": 3}}, "sigmas is 3; a list"),
        ({"features": {"sigmas": "12"}}, "sigmas is '12'"),
        ({"features": {"sigmas": ["a"]}}, r"sigmas\.0 is 'a'"),
        ({"features": {"sigmas": range(1, 40)}}, r"sigmas is range\(1, 40\)"),
        ({"preset": "shallow"}, "preset is 'shallow'; 'samba' or 'deep' or 'boosting'"),
        ({"max_features": "log2"}, "max_features is 'log2'; .*'sqrt'"),
        ({"max_samples": "some"}, "max_samples is 'some'; .*'all'"),
        ({"features": "ilastik"}, "set is 'ilastik'; sam, samba, weka"),
        ({"features": 7}, "features is 7; a FeatureSpec"),
        ({"features": {"median": {"sigmas": [0]}}}, r"median\.sigmas\.0 is 0"),
        ({"features": {"membrane": 5}}, "membrane is 5; True, False, or a mapping"),
        ({"features": {"membrane": {"patch": 4}}}, r"membrane\.patch is 4; an odd number"),
        ({"features": {"membrane": {"patch": 5, "thickness": 5}}}, r"membrane\.thickness is 5; a number below patch"),
        ({"features": {"membrane": "ab"}}, "membrane is 'ab'"),
        ({"sigmas": [1, 2], "sobel": False}, "no parameters sigmas, sobel; .*features"),
        ({"tree": 5, "depth": 2}, "no parameters tree, depth; .*trees, max_depth"),
    ],
)
def test_training_parameters_outside_their_range_are_named(trained, parameters, says):
    version = trained.segmentation_version
    with pytest.raises(sl.ParameterError, match=says):
        trained.train(**parameters, progress=False)
    assert trained.segmentation_version == version


def test_training_takes_numbers_of_numpy(micrograph):
    lab = sl.Labeller(micrograph.image, name="numpy numbers")
    lab.set_labels(some_labels(micrograph.truth))
    classifier = lab.train(
        preset="samba",
        trees=np.int64(7),
        max_depth=np.uint8(5),
        seed=np.uint32(3),
        balanced=np.bool_(True),
        features=sl.FeatureSpec("samba", sigmas=np.array([1, 2], np.float32), membrane={"patch": np.int64(5)}),
        progress=False,
    )
    assert classifier.n_trees == 7


def test_training_with_fewer_features_uses_fewer(micrograph):
    lab = sl.Labeller(micrograph.image, name="few features")
    lab.set_labels(some_labels(micrograph.truth))
    full = set(sl.FeatureSpec("samba").names())
    fewer = sl.FeatureSpec("samba", sigmas=[1, 2], membrane=False, hessian=False)
    lab.train(preset="samba", trees=10, features=fewer, progress=False)
    assert len(lab.feature_names) > 0 and set(lab.feature_names) < full
    assert lab.features.shape[-1] == len(lab.feature_names)


def test_training_takes_a_feature_spec_and_keeps_it_as_the_choice(micrograph):
    lab = sl.Labeller(micrograph.image, name="feature spec")
    lab.set_labels(some_labels(micrograph.truth))
    expected = sl.FeatureSpec("weka", gaussian={"sigmas": [1, 3]}, sigmas=[2], sobel=False)
    classifier = lab.train(trees=5, features=expected, progress=False)
    assert classifier.feature_names == expected.names() and classifier.feature_spec == expected
    assert lab.features.shape == (*SHAPE, expected.count())
    # Parameters that are left out keep their last choice.
    assert lab.train(progress=False).feature_names == expected.names()
    assert lab.classifier.n_trees == 5
    lab.train(features="samba", preset="deep", trees=3, max_samples="all", max_features="sqrt", progress=False)
    assert lab.classifier.feature_names == sl.FeatureSpec("samba").names()


def test_training_prints_its_progress(micrograph, capsys):
    lab = sl.Labeller(micrograph.image, name="progress")
    lab.set_labels(some_labels(micrograph.truth))
    lab.train(**SAMBA, trees=10)
    said = capsys.readouterr().err
    assert "Training: " in said and "Trained in" in said and "out-of-bag score" in said


def test_an_error_of_a_training_is_raised_and_not_printed(micrograph, monkeypatch, capsys):
    from sambalab.sidecar_client import progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    lab = sl.Labeller(micrograph.image, name="no labels")
    with pytest.raises(sl.LabelError) as caught:
        lab.train()
    said = capsys.readouterr().err
    assert str(caught.value) not in said and said[-1:] in ("", "\n")
    line = progress.ProgressLine("Training")
    line({"state": "running", "stage": "features", "done": 1, "total": 2, "message": ""})
    line({"state": "failed", "stage": "features", "done": 1, "total": 2, "message": "no luck"})
    line.end()
    line.end()
    said = capsys.readouterr().err
    assert "no luck" not in said and said.endswith("features\n")


def test_the_progress_line_says_at_which_window_of_the_image_sam_is(capsys):
    from sambalab.sidecar_client import progress

    line = progress.ProgressLine("Training")
    for done in range(4):
        line({"state": "running", "stage": "encoding", "done": done, "total": 3, "message": ""})
    line({"state": "running", "stage": "encoding", "done": 0, "total": 1, "message": ""})
    assert capsys.readouterr().err.splitlines() == [
        *(f"Training: SAM looks at the image, window {window} of 3" for window in (1, 2, 3)),
        "Training: SAM looks at the image",
    ]
    for done in range(1, 6):  # the encoder's stages are no windows
        line({"state": "running", "stage": "encoding one window", "done": done, "total": 6, "message": ""})
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_training_can_be_interrupted_and_labelling_goes_on():
    image, truth = sl.data.micrograph("grains", (1200, 1200), seed=1)
    lab = sl.Labeller(image, ["a", "b", "c"], name="interrupted")
    lab.set_labels(truth)
    timer = threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        lab.train(trees=2000, max_depth=40, max_samples=1_000_000, progress=False)
    timer.join()
    assert lab.segmentation_version == 0
    lab.set_labels(np.zeros(image.shape, np.uint8))
    # The cancelled job has ended: otherwise this training would wait for it.
    with pytest.raises(sl.LabelError):
        lab.train(progress=False)
    assert time.monotonic() - start < 120


def test_a_cancelled_training_says_which_part_of_the_image_it_has_segmented():
    side = 2560
    image = np.tile(np.repeat(np.uint8([60, 180]), 64), (side, side // 128))
    lab = sl.Labeller(image, ["dark", "bright"], name="part", fresh=True)
    assert lab.segmentation_part == 0
    labels = np.zeros(image.shape, np.uint8)
    labels[100:120, 10:50], labels[100:120, 80:120] = 1, 2
    lab.set_labels(labels)
    # A page that shows the upper left corner.
    view = {"slice": 0, "row0": 0, "row1": 400, "column0": 0, "column1": 400}
    lab._request("session.view", {"view": view})

    def cancel(job):
        if job["stage"] == "segmenting" and job["done"] >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab._request("train", {"features": {"set": "samba"}, "forest": {"preset": "samba", "trees": 20}}, on_job=cancel)
    deadline = time.monotonic() + 60
    while lab.segmentation_version == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    part = lab.segmentation_part
    assert 4 / 100 <= part < 1
    segmented = lab.segmentation
    assert segmented[:400, :400].all()
    made = sum(
        bool(segmented[row : row + 256, column : column + 256].all())
        for row in range(0, side, 256)
        for column in range(0, side, 256)
    )
    assert part == made / 100
    lab.train(**SAMBA, trees=2, progress=False)
    assert lab.segmentation_part == 1 and lab.segmentation.all()


def test_a_stack_is_segmented_as_a_whole(micrograph):
    other = sl.data.micrograph("particles", SHAPE, seed=4)
    stack = np.stack([micrograph.image, other.image])
    lab = sl.Labeller(stack, ["matrix", "particle"], name="stack")
    drawn = np.zeros(stack.shape, np.uint8)
    drawn[0] = some_labels(micrograph.truth)
    lab.set_labels(drawn)
    lab.train(**SAMBA, trees=30, progress=False)
    assert lab.segmentation.shape == stack.shape and lab.probabilities.shape == (*stack.shape, 2)
    assert (lab.segmentation[1] == other.truth).mean() > 0.85
    assert lab.slice_features(1).shape[:2] == SHAPE
    with pytest.raises(sl.ImageError, match="slice_features"):
        _ = lab.features
    with pytest.raises(sl.ParameterError, match="slice is 2"):
        lab.slice_features(2)


def test_suggestions_grow_with_their_scale_and_hold_the_point():
    image = np.full((200, 300), 60, np.uint8)
    rows, columns = np.mgrid[:200, :300]
    disc = (rows - 90) ** 2 + (columns - 140) ** 2 <= 40**2
    image[disc] = 200
    lab = sl.Labeller(image, name="suggest")
    masks, scores = lab.suggest(90, 140)
    assert masks.shape == (3, 200, 300) and masks.dtype == np.bool_
    assert scores.shape == (3,) and (scores > 0.5).any()
    best = masks[scores.argmax()]
    assert best[90, 140]
    assert (best & disc).sum() / (best | disc).sum() > 0.9
    embedding = lab.embedding
    assert embedding.shape == (256, 64, 64) and embedding.dtype == np.float32 and embedding.std() > 0
    for point in [(-1, 5), (5, 300), (200, 0), ("x", 5), (5, None), (5, [1])]:
        with pytest.raises(sl.ParameterError, match="row|col"):
            lab.suggest(*point)
    again, _ = lab.suggest(row=90, col=140)
    np.testing.assert_array_equal(again, masks)
    # SAM sees columns 80 to 200 only, or 180 to 300 at the edge.
    closer, scores = lab.suggest(90, 140, side=120)
    best = closer[scores.argmax()]
    assert (best & disc).sum() / (best | disc).sum() > 0.9
    assert not closer[:, :, :80].any() and not closer[:, :, 200:].any()
    edge, _ = lab.suggest(90, 299, side=120)
    assert edge.any() and not edge[:, :, :180].any()
    with pytest.raises(sl.ParameterError, match="side"):
        lab.suggest(90, 140, side=31)


def test_suggestions_depend_on_contrast_not_on_numbers():
    rows, columns = np.mgrid[:200, :300]
    disc = (rows - 90) ** 2 + (columns - 140) ** 2 <= 40**2
    image = np.random.default_rng(5).integers(40, 80, (200, 300)).astype(np.uint8) + np.where(disc, 90, 0).astype(
        np.uint8
    )
    shown = {"8 bit": image, "16 bit": image.astype(np.uint16) * 200 + 1500, "inverse": 255 - image}
    masks = {}
    for name, pixels in shown.items():
        found, scores = sl.Labeller(pixels, name=name).suggest(90, 140)
        masks[name] = found[scores.argmax()]

    def overlap(one, other):
        return (one & other).sum() / (one | other).sum()

    assert overlap(masks["8 bit"], masks["16 bit"]) > 0.98
    for mask in masks.values():
        assert overlap(mask, disc) > 0.85
    # SAM sees the contrast that is shown: as if the image had these values.
    lab = sl.Labeller(image, name="8 bit")
    lab.contrast = {"inverse": True}
    found, scores = lab.suggest(90, 140)
    assert overlap(found[scores.argmax()], masks["inverse"]) > 0.98
    assert lab.contrast == {"low": 0, "high": 255, "gamma": 1, "inverse": True, "channels": (True, True, True)}
    lab.contrast = {"low": np.uint8(250), "high": np.float32(251), "inverse": np.False_}  # black
    hidden, scores = lab.suggest(90, 140)
    assert overlap(hidden[scores.argmax()], disc) < 0.5
    with pytest.raises(sl.ParameterError, match="low is 300; a number below high, 255, will do"):
        lab.contrast = {"low": 300}
    with pytest.raises(
        sl.ParameterError, match="no parameter gama; these will do: low, high, gamma, inverse, channels"
    ):
        lab.contrast = {"gama": 2}
    lab.contrast = None
    assert lab.contrast is None


def test_an_object_is_carried_through_a_stack_until_it_ends():
    # A ball of radius 20 pixels whose centre drifts, on 11 of 16 slices, in noise.
    slices, rows, columns = np.mgrid[:16, :128, :160]
    ball = (3.7 * (slices - 8)) ** 2 + (rows - 50 - slices) ** 2 + (columns - 60 - 2 * slices) ** 2 <= 20**2
    stack = np.random.default_rng(2).integers(60, 110, ball.shape) + 90 * ball
    lab = sl.Labeller(stack.astype(np.uint8), name="carried")
    found = lab.carry(58, 76, slice=8)
    there = np.flatnonzero(ball.any(axis=(1, 2)))
    assert abs(found.slices.start - there[0]) <= 2 and abs(found.slices.stop - 1 - there[-1]) <= 2
    assert found.masks.shape == (len(found.slices), 128, 160) and found.masks.dtype == np.bool_
    assert found.scores.shape == (len(found.slices),)
    inner = [index for index in found.slices if ball[index].sum() > 150]
    overlaps = [
        (mask & ball[index]).sum() / (mask | ball[index]).sum()
        for index, mask in zip(found.slices, found.masks, strict=True)
        if index in inner
    ]
    assert np.mean(overlaps) > 0.8
    near = lab.carry(58, 76, slice=8, reach=1)
    assert near.slices == range(7, 10)
    np.testing.assert_array_equal(near.masks[1], found.masks[8 - found.slices.start])
    with pytest.raises(sl.ParameterError, match="reach is -1"):
        lab.carry(58, 76, slice=8, reach=-1)
    with pytest.raises(sl.ParameterError, match="slice is 16"):
        lab.carry(58, 76, slice=16)


def test_slices_are_embedded_ahead_once(capsys):
    stack = np.random.default_rng(3).integers(0, 255, (4, 40, 50), np.uint8)
    lab = sl.Labeller(stack, name="embedded ahead")
    lab.embed([0, 2])
    assert "Embedding: slices" in capsys.readouterr().err
    lab.embed(2, progress=False)
    assert capsys.readouterr().err == ""
    assert lab.slice_embedding(0).std() > 0 and lab.slice_embedding(2).std() > 0
    same = sl.Labeller(stack, name="the same slices")
    np.testing.assert_array_equal(same.slice_embedding(2), lab.slice_embedding(2))
    lab.embed(wait=False)
    assert lab.slice_embedding(1).std() > 0
    for wrong in (4, [0, -1], "x", []):
        with pytest.raises(sl.ParameterError, match="slices is"):
            lab.embed(wrong)
    with pytest.raises(sl.ParameterError, match="wait"):
        lab.embed(wait="no")


def test_similar_objects_are_found_from_one():
    image, truth = sl.data.micrograph("particles", (512, 512), seed=1)
    lab = sl.Labeller(image, name="similar")
    found = lab.suggest_similar(160, 296)
    assert found.objects.shape == (512, 512) and found.objects.dtype == np.uint16
    assert found.objects[160, 296] == 1 and found.similarities[0] == 1
    count = found.objects.max()
    assert found.scores.shape == found.similarities.shape == (count,)
    assert set(np.unique(found.objects)) == set(range(count + 1))
    assert found.similarities[1:].max() < 1 and found.similarities.min() > 0
    # Nearly all particles of about the same size, and hardly anything that is no particle.
    parts, _ = ndimage.label(truth == 2)
    areas = np.bincount(parts.ravel())
    own = areas[parts[160, 296]]
    like = [part for part in range(1, len(areas)) if own / 2 <= areas[part] <= 2 * own]
    drawn = found.objects > 0
    assert len(like) > 10
    assert sum(drawn[parts == part].mean() > 0.5 for part in like) / len(like) > 0.85
    assert (drawn & (truth == 2)).sum() / drawn.sum() > 0.9
    with pytest.raises(sl.ParameterError, match="where is 'view'"):
        lab.suggest_similar(160, 296, where="view")
    with pytest.raises(sl.ParameterError, match="scale is 3"):
        lab.suggest_similar(160, 296, scale=3)
    with pytest.raises(sl.ParameterError, match="row"):
        lab.suggest_similar(-1, 296)


def test_objects_in_windows_and_slices_are_found_once(capsys):
    # Discs of radius 10 in noise; SAM sees a slice in two windows of 256 pixels, whose borders and middles cross some discs.
    rows, columns = np.mgrid[:256, :400]
    middles = [(32 + 64 * i, 55 + 72 * j) for i in range(4) for j in range(5)]
    discs = [np.hypot(rows - r, columns - c) <= 10 for r, c in middles]
    second = [np.roll(disc, 6, axis=1) for disc in discs[::2]]
    clean = np.stack([np.any(discs, axis=0), np.any(second, axis=0)])
    stack = np.random.default_rng(4).integers(60, 100, clean.shape) + 100 * clean
    lab = sl.Labeller(stack.astype(np.uint8), name="windows")

    def check(drawn, wanted):
        numbers = np.unique(drawn[drawn > 0])
        assert len(numbers) == len(wanted)
        for disc in wanted:
            number = np.bincount(drawn[disc]).argmax()
            assert number > 0
            assert (disc & (drawn == number)).sum() / (disc | (drawn == number)).sum() > 0.75

    found = lab.suggest_similar(*middles[7], where="stack")
    assert "Searching: windows" in capsys.readouterr().err
    assert found.objects.shape == (2, 256, 400) and found.objects[(0, *middles[7])] == 1
    assert found.scores.shape == found.similarities.shape == (20 + 10,)
    check(found.objects[0], discs)
    check(found.objects[1], second)
    near = lab.suggest_similar(*middles[7], where="overview", progress=False)
    assert near.objects.shape == (256, 400) and len(near.scores) > 12


def test_objects_of_a_threshold_are_cleaned_up():
    image, truth = sl.data.micrograph("particles", (320, 320), seed=1)
    lab = sl.Labeller(image, name="threshold")
    # A threshold of the noisy image, without specks: holes, and ragged borders.
    rough = ndimage.binary_opening(np.asarray(image) > np.asarray(image)[truth == 2].mean() - 12)
    parts, count = ndimage.label(rough)
    areas = np.bincount(parts.ravel())
    rough = np.isin(parts, [part for part in range(1, count + 1) if areas[part] >= 150])

    def overlap(mask):
        return (mask & (truth == 2)).sum() / (mask | (truth == 2)).sum()

    drawn = lab.suggest_objects(rough, progress=False)
    parts, count = ndimage.label(rough)
    assert drawn.objects.dtype == np.uint16 and drawn.objects.shape == (320, 320)
    assert drawn.numbers.tolist() == list(range(1, count + 1)) and count > 5
    assert drawn.scores.shape == drawn.overlaps.shape == (count,)
    assert overlap(drawn.objects > 0) > overlap(rough) + 0.02
    # Numbers stay those of the array, and so does an object that SAM does not see.
    numbered = np.zeros((320, 320), np.int32)
    numbered[parts == 1] = 700
    numbered[::4, 160] = 9
    drawn = lab.suggest_objects(numbered, progress=False)
    assert drawn.numbers.tolist() == [9, 700]
    assert drawn.overlaps[0] < 0.5 and (drawn.objects[numbered == 9] > 0).all()
    assert ((drawn.objects == 700) & (parts == 1)).sum() > 0.7 * (parts == 1).sum()
    for wrong, words in (
        (rough[1:], "shape"),
        (rough.astype(float), "float64"),
        (numbered * 1000, "700000"),
        (np.zeros_like(rough), "no object"),
    ):
        with pytest.raises(sl.ParameterError, match=words):
            lab.suggest_objects(wrong)


def test_after_the_sidecar_was_killed_everything_is_there(micrograph):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="killed")
    drawn = some_labels(micrograph.truth)
    lab.set_labels(drawn)
    lab.train(**SAMBA, trees=20, progress=False)
    labels, segmentation = lab.labels, lab.segmentation
    expected = segmentation.copy()
    old = sidecar._find()
    kill(old.pid)
    np.testing.assert_array_equal(labels, drawn)
    drawn[0, :5] = 2
    lab.set_labels(drawn)
    assert sidecar._find().pid != old.pid
    # The older arrays map the same files as those of the new sidecar.
    np.testing.assert_array_equal(labels, drawn)
    np.testing.assert_array_equal(lab.labels, drawn)
    expected[0, :5] = 2
    np.testing.assert_array_equal(lab.segmentation, expected)
    assert lab.classifier.n_trees == 20
    again = sl.Labeller(micrograph.image, ["matrix", "particle"], name="killed")
    np.testing.assert_array_equal(again.labels, drawn)


def test_training_survives_a_killed_sidecar():
    image, truth = sl.data.micrograph("grains", (700, 700), seed=1)
    lab = sl.Labeller(image, ["a", "b", "c"], name="killed training")
    lab.set_labels(some_labels(truth, 0.3))
    pid = sidecar._find().pid
    timer = threading.Timer(0.4, kill, (pid,))
    timer.start()
    lab.train(**SAMBA, trees=200, max_samples=1_000_000, progress=False)
    timer.join()
    assert sidecar._find().pid != pid
    assert (lab.segmentation == truth).mean() > 0.5


def test_the_image_is_written_again_when_its_file_is_gone(micrograph, sidecar_dirs):
    lab = sl.Labeller(micrograph.image, name="gone")
    lab.set_labels(some_labels(micrograph.truth))
    path = lab._state["arrays"]["image"]["path"]
    kill(sidecar._find().pid)
    os.unlink(path)
    lab.train(**SAMBA, trees=10, progress=False)
    assert lab.segmentation_version == 1
    np.testing.assert_array_equal(np.fromfile(lab._state["arrays"]["image"]["path"], np.uint8), lab.image.ravel())


def test_labels_of_this_session_are_not_called_resumed_after_a_crash(micrograph):
    lab = sl.Labeller(micrograph.image, name="sitting")
    lab.set_labels(some_labels(micrograph.truth))
    folder = os.path.join(os.environ["SAMBALAB_DATA_DIR"], "sessions", lab.session)
    kill(sidecar._find().pid)
    # Even if the session's record is lost in the crash, so that the session is created again.
    os.rename(os.path.join(folder, "session.json"), os.path.join(folder, "lost.json"))
    assert lab._refresh()["resumed"] is None


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_name_used_for_another_image_shows_it_to_the_first(micrograph, dtype):
    newer = micrograph.image[::-1].astype(dtype)
    first = sl.Labeller(micrograph.image, name=f"shared name {dtype}")
    drawn = some_labels(micrograph.truth)
    first.set_labels(drawn)
    second = sl.Labeller(newer, name=f"shared name {dtype}")
    second.train(**SAMBA, trees=10, progress=False)
    for lab in (first, second):
        np.testing.assert_array_equal(lab.image, newer)
        np.testing.assert_array_equal(lab.labels, drawn)
        assert lab.classes == ("1", "2") and lab.shape == SHAPE and lab.segmentation_version == 1
        np.testing.assert_array_equal(lab.classifier.apply(lab.image, output="probabilities"), lab.probabilities)
    first.set_labels(drawn)
    first.train(**SAMBA, trees=10, progress=False)
    np.testing.assert_array_equal(first.segmentation, second.segmentation)
    # Each of them can restore the session after the sidecar's death.
    path = first._state["arrays"]["image"]["path"]
    kill(sidecar._find().pid)
    os.unlink(path)
    for lab in (first, second):
        lab.train(**SAMBA, trees=10, progress=False)
        np.testing.assert_array_equal(lab.image, newer)


def test_labels_of_another_shape_under_a_name_are_kept_and_the_new_image_refused(micrograph):
    drawn = some_labels(micrograph.truth)
    first = sl.Labeller(micrograph.image, name="shapes")
    first.set_labels(drawn)
    with pytest.raises(sl.LabelError, match=r"96 × 128.*fresh=True"):
        sl.Labeller(micrograph.image[:50], name="shapes")
    np.testing.assert_array_equal(first.labels, drawn)
    np.testing.assert_array_equal(first.image, micrograph.image)
    second = sl.Labeller(micrograph.image[:50], name="shapes", fresh=True)
    assert second.shape == second.labels.shape == (50, 128) and not second.labels.any()
    for attribute in ("image", "labels", "classes", "segmentation", "probabilities", "features", "classifier"):
        with pytest.raises(sl.SidecarError, match="now holds an image of another shape"):
            getattr(first, attribute)
    second.set_labels(np.ones(second.shape, bool))
    for call in (first.fresh_start, first.train, lambda: first.suggest(1, 1), lambda: first.set_labels(drawn)):
        with pytest.raises(sl.SidecarError, match="now holds an image of another shape"):
            call()
    assert second.labels.all()


def test_classes_in_another_order_are_refused_and_change_nothing(micrograph):
    drawn = some_labels(micrograph.truth)
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="order")
    lab.set_labels(drawn)
    with pytest.raises(sl.LabelError, match=r"1 \(matrix\), 2 \(particle\).*Keep the order.*fresh=True"):
        sl.Labeller(micrograph.image, ["particle", "matrix"], name="order")
    assert lab.classes == ("matrix", "particle")
    np.testing.assert_array_equal(lab.labels, drawn)
    assert sl.Labeller(micrograph.image, ["matrix", "pore"], name="order").classes == ("matrix", "pore")
    assert sl.Labeller(micrograph.image, ["pore", "matrix"], name="order", fresh=True).classes == ("pore", "matrix")


def test_fresh_has_the_classes_of_the_cell_and_no_others(micrograph):
    lab = sl.Labeller(micrograph.image, ["a", "b", "c"], name="fresh classes")
    lab.set_labels(np.full(SHAPE, 3))
    assert sl.Labeller(micrograph.image, ["a", "b"], name="fresh classes").classes == ("a", "b", "c")
    assert sl.Labeller(micrograph.image, ["a", "b"], name="fresh classes", fresh=True).classes == ("a", "b")


def test_a_cell_that_runs_again_shows_the_same_widget(micrograph):
    from ipywidgets.widgets import widget as widgets

    from sambalab.widget import LabellerWidget

    def shown():
        return sum(isinstance(widget, LabellerWidget) for widget in widgets._instances.values())

    before = shown()
    history = []
    for _ in range(5):
        lab = sl.Labeller(micrograph.image, name="run again")
        lab._repr_mimebundle_()
        history.append(lab)  # as IPython's Out does
    assert shown() == before + 1
    history[0].close()
    assert shown() == before + 1 and lab.widget.comm is not None
    with pytest.raises(sl.SidecarError, match="closed"):
        _ = history[0].widget
    assert list(history[0]._repr_mimebundle_()) == ["text/plain"]
    lab.close()
    assert shown() == before
    again = sl.Labeller(micrograph.image, name="run again")
    assert again.widget.comm is not None and again.widget.session == lab.session
    again.widget.close()
    assert again.widget.comm is not None


def test_bad_images_leave_the_sidecar_as_it_was(micrograph):
    lab = sl.Labeller(micrograph.image, name="good")
    lab.set_labels(some_labels(micrograph.truth))
    for bad in (np.zeros((0, 3)), np.full((4, 4), np.nan), "missing.tif", np.zeros((3, 3), complex)):
        with pytest.raises(sl.ImageError):
            sl.Labeller(bad)
    np.testing.assert_array_equal(lab.labels, some_labels(micrograph.truth))


def test_threads_may_use_one_labeller_at_once(micrograph):
    lab = sl.Labeller(micrograph.image, name="threads")
    problems = []

    def work(seed):
        try:
            for _ in range(5):
                lab.set_labels(some_labels(micrograph.truth, seed=seed))
                assert lab.class_ids == {"1": 1, "2": 2}
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert any(np.array_equal(lab.labels, some_labels(micrograph.truth, seed=seed)) for seed in range(4))


def test_two_processes_that_start_at_once_share_one_sidecar(own_dirs, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import numpy as np, sambalab as sl
        from sambalab.sidecar_client import sidecar
        lab = sl.Labeller(np.zeros((20, 20), np.uint8), name="both")
        print(sidecar._find().pid, lab.session)
        """)
    )
    runs = [subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {run.communicate(timeout=100)[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(said) == 1
    pid = int(said.pop().split()[0])
    os.kill(pid, 0)  # it outlives those who started it


def test_a_labeller_that_is_dropped_is_forgotten(micrograph):
    import gc

    from sambalab.sidecar_client import sessions

    lab = sl.Labeller(micrograph.image, name="dropped")
    session = lab.session
    assert session in sessions.alive()
    del lab
    gc.collect()
    assert session not in sessions.alive()


@pytest.mark.parametrize("name", ["segmentation", "probabilities"])
def test_results_that_the_sidecar_freed_are_computed_again(micrograph, name):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name=f"given up: {name}")
    lab.set_labels(some_labels(micrograph.truth))
    lab.train(**SAMBA, trees=10, progress=False)
    before = getattr(lab, name).copy()
    kill(sidecar._find().pid, signal.SIGTERM)
    os.unlink(lab._state["arrays"]["prediction"]["path"])
    assert lab.classifier.n_trees == 10
    np.testing.assert_array_equal(getattr(lab, name), before)
    assert lab.segmentation_version > 0
