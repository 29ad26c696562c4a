"""ONNX models of classifiers with an embedding: onnxruntime gives the results of `apply`; files keep the basis."""

import base64
import json
import math

import numpy as np
import pytest

import sambalab as sl

runtime = pytest.importorskip("onnxruntime")
ensemble = pytest.importorskip("sklearn.ensemble")
pytest.importorskip("wasmtime")

from sambalab import engine  # noqa: E402

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

CELLS = {"output": 64, "stage1": 256}
ONE = [{"layer": "output", "components": 3}]
TWO = [{"layer": "stage1", "components": 2}, {"layer": "output", "components": 3}]
IMAGE = np.random.default_rng(2).integers(0, 255, (90, 113), dtype=np.uint8)
DIGEST = "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246"


def spec_of(layers, window):
    return sl.FeatureSpec("samba", sigmas=[1], membrane=None, embedding={"window": window, "layers": layers})


def maps_of(spec, shape, slices=1):
    """Make maps of noise as they fit an image."""
    random = np.random.default_rng(7)
    maps = []
    for layer in spec.embedding["layers"]:
        cell = spec.embedding["window"] / CELLS[layer["layer"]]
        grid = [math.ceil(length / cell) for length in shape]
        maps.append(random.normal(0, 10, (slices, layer["components"], *grid)).astype(np.float32))
    return maps


def knowing(spec):
    """Make a classifier that says how an embedding is reduced; its trees do not ask for it."""
    plain = sl.FeatureSpec.from_dict({**spec.to_dict(), "embedding": None})
    labels = np.where(IMAGE > 128, 1, 2).astype(np.uint8)
    document = json.loads(bytes(engine.train(IMAGE, labels, ["bright", "dark"], plain, trees=1).document.data))
    numbers = np.random.default_rng(1)

    def text(*shape):
        return base64.b64encode(numbers.normal(size=shape).astype("<f4").tobytes()).decode()

    def layer(entry):
        channels = 4
        return {**entry, "channels": channels, "mean": text(channels), "matrix": text(entry["components"], channels)}

    layers = [layer(entry) for entry in spec.embedding["layers"]]
    more = sum(entry["components"] for entry in layers)
    document["cuts"]["counts"] += [0] * more
    document |= {"features": spec.to_dict(), "names": list(spec.names(1)), "importance": None}
    document["embedding"] = {"model": spec.embedding["model"], "digest": DIGEST, "layers": layers}
    return sl.Classifier(json.dumps(document).encode())


def trained(spec, maps):
    """Make a classifier whose classes follow from the embedding, and a little from the image."""
    stack = engine.feature_stack(IMAGE, spec, embedding=maps)
    first = -sum(entry["components"] for entry in spec.embedding["layers"])
    truth = 1 + (stack[..., first] + IMAGE / 50 > 2.5)
    forest = ensemble.RandomForestClassifier(20, max_depth=8, random_state=0)
    forest.fit(stack[::2, ::2].reshape(-1, stack.shape[-1]), truth[::2, ::2].reshape(-1))
    return sl.Classifier.from_sklearn(forest, spec, ["low", "high"], embedding=knowing(spec)), truth


@pytest.mark.parametrize(("layers", "window"), [(ONE, 1024), (TWO, 320), (TWO, 128)])
def test_onnxruntime_alone_gives_the_labels_of_apply(layers, window, tmp_path):
    spec = spec_of(layers, window)
    maps = maps_of(spec, IMAGE.shape)
    classifier, truth = trained(spec, maps)
    wanted = classifier.apply(IMAGE, "probabilities", engine="python", embedding=maps)
    assert np.mean(classifier.apply(IMAGE, engine="python", embedding=maps) == truth) > 0.9
    path = tmp_path / "classifier.onnx"
    classifier.save(path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = ["embedding"] if len(layers) == 1 else [f"embedding_{i + 1}" for i in range(len(layers))]
    assert [entry.name for entry in session.get_inputs()] == ["image", *names]
    feeds = {"image": IMAGE.astype(np.float32), **dict(zip(names, maps, strict=True))}
    labels, probabilities = session.run(["labels", "probabilities"], feeds)
    np.testing.assert_array_equal(probabilities, wanted)
    np.testing.assert_array_equal(labels, classifier.apply(IMAGE, engine="python", embedding=maps))


def test_a_stack_takes_one_slice_of_the_embedding_at_a_time(tmp_path):
    spec = spec_of(ONE, 1024)
    stack = np.stack([IMAGE, IMAGE[::-1]])
    maps = maps_of(spec, IMAGE.shape, slices=2)
    classifier, _ = trained(spec, [own[:1] for own in maps])
    wanted = classifier.apply(stack, engine="python", embedding=maps)
    classifier.save(tmp_path / "classifier.onnx")
    session = runtime.InferenceSession(str(tmp_path / "classifier.onnx"), providers=["CPUExecutionProvider"])
    for number, image in enumerate(stack):
        feeds = {"image": image.astype(np.float32), "embedding": maps[0][number : number + 1]}
        np.testing.assert_array_equal(session.run(["labels"], feeds)[0], wanted[number])


def test_the_file_says_which_model_and_keeps_how_its_embedding_is_reduced(tmp_path):
    spec = spec_of(TWO, 320)
    maps = maps_of(spec, IMAGE.shape)
    classifier, _ = trained(spec, maps)
    path = tmp_path / "classifier.onnx"
    classifier.save(path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    said = json.loads(session.get_modelmeta().custom_metadata_map["sambalab.embedding"])
    assert (said["model"], said["digest"], said["window"]) == ("mobile-sam", DIGEST, 320)
    assert [(entry["layer"], entry["components"], entry["cell"]) for entry in said["layers"]] == [
        ("stage1", 2, 1.25),
        ("output", 3, 5),
    ]
    again = sl.Classifier.load(path)
    assert again.feature_spec == spec and again.embedding_model == classifier.embedding_model
    assert again.document.fields["embedding"] == classifier.document.fields["embedding"]
    again_says = again.apply(IMAGE, "probabilities", engine="python", embedding=maps)
    np.testing.assert_array_equal(again_says, classifier.apply(IMAGE, "probabilities", engine="python", embedding=maps))


def test_a_model_without_its_embedding_does_not_run(tmp_path):
    spec = spec_of(ONE, 1024)
    classifier, _ = trained(spec, maps_of(spec, IMAGE.shape))
    classifier.save(tmp_path / "classifier.onnx")
    session = runtime.InferenceSession(str(tmp_path / "classifier.onnx"), providers=["CPUExecutionProvider"])
    with pytest.raises(ValueError, match="embedding"):
        session.run(["labels"], {"image": IMAGE.astype(np.float32)})
