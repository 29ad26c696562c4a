"""Classifiers in files, and as scikit-learn's forests."""

import json
import os
import random
import subprocess
import sys
import time
import warnings
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import sambalab as sl
from sambalab.sidecar_client import client
from sambalab.tests.conftest import SAMBA
from sambalab.tests.test_labeller import some_labels

SHAPE = (96, 110)


@pytest.fixture(scope="module")
def trained(sidecar_dirs):
    image, truth = sl.data.micrograph("particles", SHAPE, seed=2)
    lab = sl.Labeller(image, ["matrix", "particle"], name="files")
    lab.set_labels(some_labels(truth))
    lab.train(**SAMBA, trees=25, seed=1, progress=False)
    return lab


@pytest.fixture(scope="module")
def other():
    return sl.data.micrograph("particles", (70, 90), seed=5).image


def flat(features):
    return features.reshape(-1, features.shape[-1])


@pytest.mark.parametrize("extension", [".json", ".onnx", ".skops", ".JSON"])
def test_a_file_gives_the_same_classifier_bit_by_bit(trained, other, tmp_path, extension):
    path = tmp_path / f"alloy{extension}"
    trained.classifier.save(path)
    loaded = sl.Classifier.load(path)
    assert loaded.document.data == trained.classifier.document.data
    assert repr(loaded) == repr(trained.classifier)
    assert loaded.feature_spec == trained.classifier.feature_spec
    np.testing.assert_array_equal(
        loaded.apply(other, output="probabilities"), trained.classifier.apply(other, output="probabilities")
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_skops_file_opens_in_scikit_learn_and_predicts_the_same(trained, tmp_path):
    path = tmp_path / "alloy.skops"
    trained.classifier.save(path)
    forest = skops.io.load(path, trusted=["sklearn.tree._tree.Tree"])
    assert isinstance(forest, RandomForestClassifier)
    probabilities = forest.predict_proba(flat(trained.features)).reshape(trained.probabilities.shape)
    np.testing.assert_allclose(probabilities, trained.probabilities, atol=1e-6)
    labels = forest.predict(flat(trained.features)).reshape(SHAPE)
    np.testing.assert_array_equal(labels, trained.classifier.apply(trained.image))


def test_importances_add_up_to_one(trained):
    importances = trained.classifier.feature_importances
    assert importances.shape == (len(trained.feature_names),) and (importances >= 0).all()
    assert importances.sum() == pytest.approx(1)
    # A smoothed grey value separates bright particles better than a determinant of curvature.
    best = trained.feature_names[int(importances.argmax())]
    assert "determinant" not in best


def test_a_forest_of_ours_comes_back_from_scikit_learn_unchanged(trained, other):
    classifier = trained.classifier
    again = sl.Classifier.from_sklearn(classifier.to_sklearn(), classifier.feature_spec, ["matrix", "particle"])
    assert again.class_ids == classifier.class_ids
    np.testing.assert_array_equal(
        again.apply(other, output="probabilities"), classifier.apply(other, output="probabilities")
    )


@pytest.mark.parametrize("model", [RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier])
def test_a_forest_of_scikit_learn_segments_as_it_predicts(trained, model):
    rows = np.flatnonzero(trained.labels)
    options = {} if model is DecisionTreeClassifier else {"n_estimators": 20}
    forest = model(max_depth=6, random_state=0, **options).fit(
        flat(trained.features)[rows], trained.labels.ravel()[rows]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # few thresholds: nothing is merged
        classifier = sl.Classifier.from_sklearn(forest, "samba", ["matrix", "particle"])
    assert classifier.class_ids == (1, 2)
    expected = forest.predict_proba(flat(trained.features)).reshape(*SHAPE, 2)
    ours = classifier.apply(trained.image, output="probabilities")
    # Leaves' shares are rounded to 1/1024.
    np.testing.assert_allclose(ours, expected, atol=1 / 1024)
    clear = np.abs(expected[..., 0] - 0.5) > 0.01
    np.testing.assert_array_equal(
        classifier.apply(trained.image)[clear], forest.predict(flat(trained.features)).reshape(SHAPE)[clear]
    )


def test_a_forest_with_too_many_thresholds_is_merged_with_a_warning_and_hardly_differs(trained):
    random_ = np.random.default_rng(0)
    features = flat(trained.features)
    noisy = (features[:, 2] + random_.normal(0, 5, len(features)) > np.median(features[:, 2])).astype(int)
    forest = RandomForestClassifier(30, random_state=0, max_features=2).fit(features, noisy)
    with pytest.warns(UserWarning, match=r"more than 255 different thresholds"):
        classifier = sl.Classifier.from_sklearn(forest, "samba", ["low", "high"])
    assert classifier.class_ids == (1, 2) and classifier.classes == ("low", "high")
    agreement = (classifier.apply(trained.image) - 1 == forest.predict(features).reshape(SHAPE)).mean()
    assert agreement > 0.97


def test_models_other_than_fitted_forests_are_refused(trained):
    with pytest.raises(sl.ParameterError, match="not fitted"):
        sl.Classifier.from_sklearn(RandomForestClassifier())
    with pytest.raises(sl.ParameterError, match="GradientBoostingClassifier cannot be converted"):
        sl.Classifier.from_sklearn(GradientBoostingClassifier())
    forest = RandomForestClassifier(2).fit(np.random.default_rng(0).random((20, 3)), np.arange(20) % 2)
    with pytest.raises(sl.ParameterError, match="fitted on 3 features; this feature spec has 58"):
        sl.Classifier.from_sklearn(forest)
    wide = RandomForestClassifier(2).fit(np.random.default_rng(0).random((20, 58)), np.arange(20) % 2)
    with pytest.raises(sl.ParameterError, match="names 3 classes; the forest has 2"):
        sl.Classifier.from_sklearn(wide, classes=["a", "b", "c"])
    wide.estimators_[0].tree_.__setstate__(hostile_state(wide.estimators_[0].tree_))
    with pytest.raises(sl.ParameterError, match="damaged"):
        sl.Classifier.from_sklearn(wide)


def hostile_state(tree):
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes["right_child"][0] = 1 << 40
    return {**state, "nodes": nodes}


def test_lists_tuples_and_stacks_come_back_as_they_went(trained, other):
    classifier = trained.classifier
    one = classifier.apply(other)
    listed = classifier.apply([other, trained.image])
    assert isinstance(listed, list) and [item.shape for item in listed] == [other.shape, SHAPE]
    np.testing.assert_array_equal(listed[0], one)
    paired = classifier.apply((other, np.stack([other, other])))
    assert isinstance(paired, tuple) and paired[1].shape == (2, *other.shape)
    np.testing.assert_array_equal(paired[1][1], one)
    rows = classifier.apply(other.tolist())  # a list of rows is an image
    np.testing.assert_array_equal(rows, one)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pkl", b"", r"\.json, \.onnx, \.skops will do"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[1]", "no object"),
        ("a.json", b'{"format": "other"}', "not a classifier"),
        ("a.json", b'{"format": "sambalab-classifier", "version": 99}', "version is 99"),
        ("a.onnx", b"\x08\x09", "metadata has no"),
        ("a.onnx", b"\xff\xff\xff", "not ONNX"),
        ("a.skops", b"PK", "damaged"),
    ],
)
def test_a_wrong_file_is_refused_with_its_reason(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(sl.ParameterError, match=message):
        sl.Classifier.load(tmp_path / name)


def test_a_missing_file_and_an_unwritable_folder_are_named(trained, tmp_path):
    with pytest.raises(sl.ParameterError, match=r"There is no file .*missing\.json"):
        sl.Classifier.load(tmp_path / "missing.json")
    with pytest.raises(sl.ParameterError, match=r"nowhere.*cannot be written"):
        trained.classifier.save(tmp_path / "nowhere" / "a.json")


class Boom:
    """Records that an object was made."""

    def __setstate__(self, state):
        raise AssertionError("code of a file was run")


def test_a_skops_file_with_other_types_is_refused_before_they_are_made(tmp_path):
    path = tmp_path / "hostile.skops"
    boom = Boom()
    boom.value = 1
    skops.io.dump({"forest": boom}, path)
    with pytest.raises(sl.ParameterError, match=r"Boom.*not loaded"):
        sl.Classifier.load(path)
    plain = tmp_path / "plain.skops"
    skops.io.dump(RandomForestClassifier(2).fit([[0.0], [1.0]], [0, 1]), plain)
    with pytest.raises(sl.ParameterError, match=r"no feature spec.*from_sklearn"):
        sl.Classifier.load(plain)


def test_a_skops_file_that_unpacks_to_too_much_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.skops"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("schema.json", "w", force_zip64=True) as f,
    ):
        for _ in range(520):
            f.write(bytes(1 << 20))
    with pytest.raises(sl.ParameterError, match="unpacks to"):
        sl.Classifier.load(path)


def mutations(data, source, json_too):
    """Endless damage: bytes changed, cut out, doubled, and in JSON values replaced."""
    text = json.loads(data) if json_too else None
    while True:
        if json_too and source.random() < 0.6:
            document = json.loads(json.dumps(text))
            damage(document, source)
            yield json.dumps(document).encode()
            continue
        out = bytearray(data)
        for _ in range(source.choice([1, 1, 2, 8])):
            at = source.randrange(len(out))
            how = source.randrange(4)
            if how == 0:
                out[at] = source.randrange(256)
            elif how == 1:
                del out[at : at + source.choice([1, 4, 100, len(out)])]
            elif how == 2:
                out[at:at] = out[: source.choice([1, 16, 200])]
            else:
                out[at : at + 4] = source.randbytes(4)
            if not out:
                break
        yield bytes(out)


def damage(document, source):
    """Change one value somewhere in the document."""
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = source.choice(keys)
        value = place[key]
        if isinstance(value, (dict, list)) and value and source.random() < 0.8:
            place = value
            continue
        if isinstance(value, str) and len(value) > 8 and source.random() < 0.7:
            at = source.randrange(len(value))
            place[key] = value[:at] + source.choice(["A", "/", "=", "", "AAAA", "____"]) + value[at + 1 :]
        else:
            place[key] = source.choice([None, -1, 0, 1, 255, 1 << 31, 1 << 62, 1e308, "x", [], {}, True, "A" * 64])
        return


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("extension", "count"), [(".json", 6000), (".onnx", 3000), (".skops", 1000)])
def test_damaged_files_are_refused_or_give_a_classifier_that_works(trained, tmp_path, extension, count):
    path = tmp_path / f"a{extension}"
    source = random.Random(7)
    lab_classifier = small_classifier()
    lab_classifier.save(path)
    data = path.read_bytes()
    stream = mutations(data, source, extension == ".json")
    taken = 0
    start = time.monotonic()
    for _ in range(count):
        path.write_bytes(next(stream))
        try:
            classifier = sl.Classifier.load(path)
        except sl.ParameterError:
            continue
        taken += 1
        if taken <= 40:  # harmless damage: it still works
            forest = classifier.to_sklearn()
            features = np.linspace(-1e3, 1e3, 50 * forest.n_features_in_, dtype=np.float32).reshape(50, -1)
            assert np.isfinite(forest.predict_proba(features)).all()
            labels = classifier.apply(np.arange(144, dtype=np.uint8).reshape(12, 12))
            assert set(np.unique(labels)) <= set(classifier.class_ids)
    assert taken < count
    print(f"{extension}: {count} files, {taken} taken, {time.monotonic() - start:.1f} s")


def small_classifier():
    """A classifier with a short file: few features and trees."""
    random_ = np.random.default_rng(1)
    spec = sl.FeatureSpec("samba", sigmas=[1], hessian=False, membrane=False, sobel=False)
    forest = RandomForestClassifier(3, max_depth=3, random_state=0).fit(
        random_.random((60, spec.count())) * 255, np.arange(60) % 2 + 1
    )
    return sl.Classifier.from_sklearn(forest, spec, ["a", "b"])


def test_a_classifier_remembers_the_size_of_the_pixels(trained, tmp_path, sidecar_dirs):
    assert trained.pixel_size is None and trained.classifier.pixel_size is None
    image, truth = sl.data.micrograph("particles", (60, 64), seed=3)
    lab = sl.Labeller(image, ["matrix", "particle"], pixel_size=(0.49, "nm"))
    assert lab.pixel_size == (0.49, "nm")
    lab.set_labels(some_labels(truth))
    lab.train(**SAMBA, trees=3, progress=False)
    for extension in ("json", "onnx", "skops"):
        lab.classifier.save(tmp_path / f"a.{extension}")
        assert sl.Classifier.load(tmp_path / f"a.{extension}").pixel_size == (0.49, "nm")


@pytest.mark.parametrize("size", [0, (0, "nm"), (-1.0, "nm"), ("1", "nm"), (1.0, ""), (float("inf"), "nm"), (1.0,)])
def test_a_wrong_pixel_size_is_named(size, sidecar_dirs):
    with pytest.raises(sl.ParameterError, match=r"pixel_size is .*\(0\.5, 'nm'\)"):
        sl.Labeller(np.zeros((5, 5), np.uint8), pixel_size=size)


def test_a_forest_goes_to_ml_random_forest_and_back(trained, other):
    forest = trained.classifier.to_ml_random_forest()
    assert forest["name"] == "RFClassifier" and len(forest["baseModel"]["estimators"]) == 25
    again = sl.Classifier.from_ml_random_forest(forest)
    np.testing.assert_array_equal(
        again.apply(other, output="probabilities"), trained.classifier.apply(other, output="probabilities")
    )


def test_a_foreign_forest_of_ml_random_forest_needs_its_meaning(trained, other):
    leaf = [{"kind": "classifier", "distribution": [[p, 1 - p]]} for p in (1.0, 0.25)]
    root = {"kind": "classifier", "splitColumn": 0, "splitValue": 100, "left": leaf[0], "right": leaf[1]}
    foreign = {
        "name": "RFClassifier",
        "baseModel": {
            "isClassifier": True,
            "indexes": [[0]],
            "estimators": [{"name": "DTClassifier", "options": {}, "root": root}],
        },
    }
    classifier = sl.Classifier.from_ml_random_forest(foreign, "samba", ["dark", "bright"])
    probabilities = classifier.apply(other, output="probabilities")
    np.testing.assert_array_equal(probabilities[..., 0], np.where(other < 100, 1, 0.25).astype(np.float32))
    with pytest.raises(sl.ParameterError, match="sambalab"):
        sl.Classifier.from_ml_random_forest(foreign)
    with pytest.raises(sl.ParameterError, match="names of the forest's classes"):
        sl.Classifier.from_ml_random_forest(foreign, "samba")
    with pytest.raises(sl.ParameterError, match="not a classifier|no RandomForestClassifier|not JSON"):
        sl.Classifier.from_ml_random_forest("{}")


def test_json_of_too_many_values_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    path = tmp_path / "many.json"
    path.write_bytes(b'{"format":[' + b"[]," * 500_000 + b"0]}")
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(sl.ParameterError, match="1,000,003 values; at most"):
        sl.Classifier.load(path)


def test_other_json_than_of_ml_random_forest_is_named():
    with pytest.raises(sl.ParameterError, match="The forest is a NoneType"):
        sl.Classifier.from_ml_random_forest(None)
    with pytest.raises(sl.ParameterError, match="channels is 2; 1 or 3"):
        sl.Classifier.from_ml_random_forest("{}", "samba", ["a", "b"], channels=2)


def test_the_sidecar_says_which_other_formats_there_are(trained, tmp_path, monkeypatch):
    ask = client.Client.request

    def request(self, method, *args, **options):
        reply = ask(self, method, *args, **options)
        if method == "classifier.formats":
            votes = next(known for known in reply.result["formats"] if known["name"] == "ml-random-forest")
            reply.result["formats"].append({**votes, "extension": ".votes"})
        return reply

    monkeypatch.setattr(client.Client, "request", request)
    trained.classifier.save(tmp_path / "a.votes")
    assert json.loads((tmp_path / "a.votes").read_text()) == trained.classifier.to_ml_random_forest()
    assert sl.Classifier.load(tmp_path / "a.votes").classes == trained.classifier.classes
    monkeypatch.undo()
    for call in (trained.classifier.save, sl.Classifier.load):
        with pytest.raises(sl.ParameterError, match=r"a\.votes.*\.json, \.onnx, \.skops will do"):
            call(tmp_path / "a.votes")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("extension", [".json", ".onnx", ".skops"])
def test_pipes_devices_and_folders_are_refused_by_name_without_being_read(tmp_path, extension):
    os.mkfifo(tmp_path / f"pipe{extension}")
    (tmp_path / f"folder{extension}").mkdir()
    (tmp_path / f"endless{extension}").symlink_to("/dev/zero")
    (tmp_path / f"link{extension}").symlink_to(tmp_path / f"pipe{extension}")
    for name, kind in (("pipe", "named pipe"), ("link", "named pipe"), ("folder", "folder"), ("endless", "device")):
        path = tmp_path / f"{name}{extension}"
        with pytest.raises(sl.ParameterError) as caught:
            sl.Classifier.load(path)
        assert str(caught.value) == f"{path} is not a file but a {kind}."


def test_a_link_to_a_classifier_is_followed(trained, tmp_path):
    trained.classifier.save(tmp_path / "alloy.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "alloy.json")
    assert sl.Classifier.load(tmp_path / "link.json").document.data == trained.classifier.document.data


def test_a_small_archive_that_unpacks_to_900_megabytes_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.skops"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("schema.json", "w") as entry:
        for _ in range(900):
            entry.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    script = (
        f"import sambalab\n"
        f"try: sambalab.Classifier.load({str(path)!r})\n"
        f"except sambalab.ParameterError as error: print(error)\n"
        f"from pathlib import Path\n"
        f"status = Path('/proc/self/status')  # the peak of this program; getrusage has that of the process before it, too\n"
        f"print(status.read_text().split('VmHWM:')[1].split()[0] if status.exists() else 0)"
    )
    said, kilobytes = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "it unpacks to 943,718,400 bytes; up to 536,870,912 will do" in said
    assert int(kilobytes) < 600 << 10


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate((512 << 20) + 1)  # without blocks on the disk
    with pytest.raises(sl.ParameterError, match="has 536,870,913 bytes; a classifier has 536,870,912 at most"):
        sl.Classifier.load(path)
