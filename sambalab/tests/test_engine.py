"""The engine in Python: the bits of the sidecar for all tiles and threads, and refusal of damaged classifiers."""

import _thread
import base64
import json
import random
import subprocess
import sys
import threading

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec, engine
from sambalab.files.images import display_range
from sambalab.sidecar_client.arrays import map_array
from sambalab.wasm import api
from sambalab.wasm import engine as wasm
from sambalab.wasm.stack import FeatureStack, Tile, halo_of

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (150, 210)


def images():
    """Images of every kind, larger than a tile of the tests below."""
    rng = np.random.default_rng(1)
    grey = sl.data.micrograph("particles", SHAPE, seed=5).image
    return {
        "uint8": grey,
        "uint16": rng.integers(0, 65536, SHAPE, dtype=np.uint16),
        "int16": rng.integers(-3000, 3000, SHAPE, dtype=np.int16),
        "uint32": rng.integers(0, 1 << 32, SHAPE, dtype=np.uint32),
        "float32": rng.normal(0, 1e-3, SHAPE).astype(np.float32),
        "float64": rng.normal(1e6, 5e4, SHAPE),
        "colour": np.stack([grey, grey[::-1], rng.integers(0, 256, SHAPE, dtype=np.uint8)], -1),
        "colour16": rng.integers(0, 4096, (*SHAPE, 3), dtype=np.uint16),
        "row": rng.integers(0, 256, (1, 300), dtype=np.uint8),
        "pixel": np.array([[7]], np.uint8),
        "constant": np.full((40, 30), 3.5),
    }


IMAGES = images()


def same_bits(one, other):
    """Whether arrays are equal to the last bit, NaN and −0 included."""
    assert one.dtype == other.dtype and one.shape == other.shape
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def of_the_sidecar(image, spec, name):
    lab = sl.Labeller(image, name=name)
    reply = lab._request("features", {"slice": 0, "features": spec.to_dict()})
    array = np.array(map_array(reply["array"]))
    assert tuple(reply["names"]) == spec.names(3 if np.ndim(image) == 3 else 1)
    lab.close()
    return array[0] if array.ndim == 4 else array


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize(
    "spec", [FeatureSpec("samba"), FeatureSpec("weka", color="luminance", sigmas=[0.7, 3])], ids=["samba", "weka"]
)
def test_features_have_the_bits_of_the_sidecar(kind, spec):
    image = IMAGES[kind]
    ours = engine.feature_stack(image, spec, tile=64)
    assert ours.shape == (*image.shape[:2], spec.count(3 if image.ndim == 3 else 1)) and ours.dtype == np.float32
    assert same_bits(ours, of_the_sidecar(image, spec, f"bits {kind}"))


@pytest.mark.parametrize("kind", ["uint16", "float32", "colour"])
@pytest.mark.parametrize("value", [0, 255, 65535, 1e30])
def test_standardised_features_have_the_bits_of_the_sidecar_around_hot_and_dead_pixels(kind, value):
    spread = IMAGES[kind].astype(np.float64)
    image = (spread.mean() + (spread - spread.mean()) / 50).astype(IMAGES[kind].dtype)
    if value > 65535 and image.dtype != np.float32:
        pytest.skip("This dtype has no such value.")
    image[[0, 3, 90], [7, 100, 200]] = min(value, np.iinfo(image.dtype).max if image.dtype.kind == "u" else value)
    spec = FeatureSpec("samba", standardise=True)
    ours = engine.feature_stack(image, spec, tile=64)
    assert np.isfinite(ours).all()
    assert same_bits(ours, of_the_sidecar(image, spec, f"hot {kind} {value}"))


@pytest.mark.parametrize("family", [name for name in FeatureSpec.families_known() if name != "gaussian"])
def test_every_family_has_the_bits_of_the_sidecar_in_tiles_of_any_size(family):
    spec = FeatureSpec.from_dict({"families": {family: True}, "sigmas": [1, 5]})
    image = IMAGES["uint16"]
    ours = engine.feature_stack(image, spec, tile=37, threads=3)
    # The pixels as they are come first; the 16-bit image gives families of 256 grey levels its own range.
    assert same_bits(ours[..., 0], image.astype(np.float32))
    assert same_bits(ours, of_the_sidecar(image, spec, "families"))


@pytest.mark.parametrize(("tile", "threads"), [(1 << 14, 1), (256, 2), (100, 3), (33, 8), (7, 2)])
def test_features_do_not_depend_on_tiles_and_threads(tile, threads):
    image = IMAGES["colour16"][:80, :90]
    spec = FeatureSpec("samba", sigmas=[1, 4])
    assert same_bits(engine.feature_stack(image, spec, tile=tile, threads=threads), engine.feature_stack(image, spec))


def test_a_stack_is_computed_slice_by_slice_with_one_range():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, [[[1000]], [[9000]]], (2, 40, 50), dtype=np.uint16)
    spec = FeatureSpec.from_dict({"families": {"lipschitz": True, "mean": True}, "sigmas": [2]})
    both = engine.feature_stack(stack, spec)
    assert both.shape == (2, 40, 50, spec.count())
    low, high = display_range(stack)
    for index in range(2):
        assert same_bits(both[index], engine.feature_stack(stack[index], spec.with_range(low, high)))
    assert not same_bits(both[0], engine.feature_stack(stack[0], spec))


def test_features_are_written_to_a_given_array(tmp_path):
    image = IMAGES["uint8"]
    out = np.lib.format.open_memmap(tmp_path / "features.npy", "w+", np.float32, (*SHAPE, 58))
    assert engine.feature_stack(image, out=out) is out
    assert same_bits(np.load(tmp_path / "features.npy"), engine.feature_stack(image))
    for wrong in (np.empty((*SHAPE, 57), np.float32), np.empty((*SHAPE, 58)), [1], np.broadcast_to(out[:1], out.shape)):
        with pytest.raises(sl.ParameterError, match=r"out is .* writable array of float32 \(150, 210, 58\)"):
            engine.feature_stack(image, out=wrong)


def test_bins_are_numbers_of_cuts_below_a_value():
    image = IMAGES["float32"]
    spec = FeatureSpec("samba", sigmas=[1], membrane=False)
    stack = engine.feature_stack(image, spec)
    rng = np.random.default_rng(2)
    # Cuts at values that occur: a value is not above itself.
    cuts = [np.unique(rng.choice(stack[..., f].ravel(), n)) for f, n in enumerate(rng.integers(0, 256, spec.count()))]
    bins = engine.quantise(image, cuts, spec, tile=50, threads=2)
    for f, own in enumerate(cuts):
        np.testing.assert_array_equal(bins[..., f], np.searchsorted(own, stack[..., f], side="left"))


@pytest.mark.parametrize(
    ("cuts", "says"),
    [
        ([[1.0]] * 57, "cuts of 57 features; these features of this image are 58"),
        ([[1.0]] * 57 + [[2.0, 1.0]], "cuts of feature 57 will not do"),
        ([[np.nan]] * 58, "cuts of feature 0"),
        ([[1e39]] * 58, "cuts of feature 0"),
        ([np.arange(256)] * 58, "at most 255"),
        ([["a"]] * 58, "cuts of feature 0"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_invalid_cuts_are_named(cuts, says):
    with pytest.raises(sl.ParameterError, match=says):
        engine.quantise(IMAGES["uint8"], cuts)


@pytest.fixture(scope="module", params=["samba", "deep", "colour"])
def trained(request):
    """A labeller that was trained, for several kinds of forests."""
    image = IMAGES["colour" if request.param == "colour" else "uint16"]
    truth = np.digitize(sl.data.micrograph("particles", SHAPE, seed=5).image, [90, 150]).astype(np.uint8) + 1
    chosen = np.random.default_rng(3).random(SHAPE) < 0.1
    lab = sl.Labeller(image, ["a", "b", "c"], name=f"trained {request.param}")
    lab.set_labels(np.where(chosen, truth, 0))
    options = {"preset": "deep", "trees": 20} if request.param == "deep" else {"preset": "samba", "trees": 70}
    lab.train(progress=False, features=FeatureSpec("samba", sigmas=[1, 3], mean=True), **options)
    return lab


@pytest.mark.parametrize("output", ["labels", "probabilities"])
def test_a_classifier_segments_as_in_the_sidecar(trained, output):
    expected = trained.classifier.apply(trained.image, output)
    assert same_bits(engine.apply_classifier(trained.classifier, trained.image, output), np.array(expected))
    assert same_bits(trained.classifier.apply(trained.image, output, engine="python"), np.array(expected))


def test_a_classifier_segments_alike_in_any_tiles_on_any_threads(trained):
    data = trained.classifier.document.data
    for output in ("labels", "probabilities", "uncertainty"):
        whole = engine.apply_classifier(data, trained.image, output)
        for tile, threads in ((1 << 14, 1), (61, 3), (30, 2)):
            cut = engine.apply_classifier(data.decode(), trained.image, output, tile=tile, threads=threads)
            assert same_bits(cut, whole)
    assert same_bits(whole, np.array(trained.uncertainty))


def test_threads_of_the_caller_do_not_disturb_each_other(trained):
    expected = engine.apply_classifier(trained.classifier, trained.image)
    found = [None] * 4

    def run(index):
        found[index] = engine.apply_classifier(trained.classifier, trained.image, threads=2, tile=40)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same_bits(each, expected) for each in found)


def test_an_image_of_other_channels_is_refused(trained):
    other = IMAGES["uint8"] if trained.image.ndim == 3 else IMAGES["colour"]
    with pytest.raises(sl.ParameterError, match=r"image has \d channels, the classifier was trained on images with \d"):
        engine.apply_classifier(trained.classifier, other)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: engine.feature_stack(IMAGES["uint8"], tile=0), sl.ParameterError, "tile is 0; .* from 1 to 16384"),
        (lambda: engine.feature_stack(IMAGES["uint8"], tile=2.5), sl.ParameterError, r"tile is 2\.5"),
        (lambda: engine.feature_stack(IMAGES["uint8"], threads=0), sl.ParameterError, "threads is 0; .* 1 to 256"),
        (lambda: engine.feature_stack(IMAGES["uint8"], threads=True), sl.ParameterError, "threads is True"),
        (lambda: engine.feature_stack(IMAGES["uint8"], "ilastik"), sl.ParameterError, "samba, weka"),
        (lambda: engine.feature_stack(np.full((5, 5), np.nan)), sl.ImageError, "NaN"),
        (lambda: engine.feature_stack(np.zeros((0, 5))), sl.ImageError, "empty"),
        (lambda: engine.apply_classifier(7, IMAGES["uint8"]), sl.ParameterError, "classifier is int; a Classifier or its JSON"),
        (lambda: engine.apply_classifier(b"{}", IMAGES["uint8"]), sl.ParameterError, "not a classifier"),
        (lambda: engine.apply_classifier("\ud800", IMAGES["uint8"]), sl.ParameterError, "not JSON"),
        (lambda: engine.apply_classifier(b"[" * 500_000, IMAGES["uint8"]), sl.ParameterError, "500,000 values"),
        (lambda: engine.apply_classifier(b"[" * 100_000, IMAGES["uint8"]), sl.ParameterError, "not JSON"),
        (lambda: engine.apply_classifier(b"{}", IMAGES["uint8"], "colours"), sl.ParameterError, "output is 'colours'"),
    ],
)  # fmt: skip
def test_wrong_values_are_named_with_valid_ones(call, error, says):
    with pytest.raises(error, match=says):
        call()


ARRAYS = {"feature": "<i2", "threshold": "u1", "left": "<u4", "right": "<u4", "votes": "<u2"}


def damaged(data, rng):
    """Change one thing in a classifier: a byte of the text, a number in an array, a count, or a length."""
    how = rng.randrange(5)
    if how == 0:
        text = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            text[rng.randrange(len(text))] = rng.choice(b'0129{}[],:"-eAz \x00\xff')
        return bytes(text[: rng.randrange(len(text))] if rng.random() < 0.2 else text)
    document = json.loads(data)
    trees = document["trees"]
    if how in (1, 2):
        name = rng.choice(list(ARRAYS))
        values = np.frombuffer(base64.b64decode(trees[name]), ARRAYS[name]).copy()
        extremes = [0, 1, 2, 255, 1023, 1025, len(values), (1 << 31) - 1, (1 << 32) - 1, -1]
        for _ in range(rng.randint(1, 3)):
            value = rng.choice([*extremes, int(rng.choice(values)), int(rng.choice(values)) + 1])
            values[rng.randrange(len(values))] = np.array(value).astype(values.dtype)
        if rng.random() < 0.2:
            values = values[:-1] if rng.random() < 0.5 else np.append(values, values[-1:])
        trees[name] = base64.b64encode(values.tobytes()).decode()
    elif how == 3:
        counts = rng.choice([trees["counts"], document["cuts"]["counts"]])
        counts[rng.randrange(len(counts))] = rng.choice([0, 1, 3, 256, -1, 1 << 31, 1 << 60, 2.5, None, "3", True])
    else:
        place = rng.choice([document, document["features"], document["features"]["families"], document["cuts"], trees])
        place[rng.choice(list(place))] = rng.choice([None, 0, -1, 1e300, "", "AAAA", [], {}, [[]], True, 1 << 70])
    return json.dumps(document).encode()


def test_a_damaged_classifier_is_refused_or_still_valid(trained):
    data = trained.classifier.document.data
    small = trained.image[:9, :11]
    rng = random.Random(4)
    refused = 0
    for number in range(200):
        bad = damaged(data, rng)
        try:
            labels = engine.apply_classifier(bad, small, threads=1)
        except (sl.ParameterError, sl.EngineError):
            refused += 1
            continue
        assert labels.shape == (9, 11) and labels.dtype == np.uint8
        assert labels.all() or bad == data, number
    assert 80 < refused < 200


def test_unsound_trees_are_refused(trained):
    data = trained.classifier.document.data
    document = json.loads(data)
    trees = document["trees"]
    leaf = int(np.flatnonzero(np.frombuffer(base64.b64decode(trees["feature"]), "<i2") == -1)[0])
    for name, place, value, says in (
        ("feature", 0, 999, "trees.feature has numbers that are not"),
        ("threshold", 0, 255, "a cut that its feature does not have"),
        ("left", 0, 0, "trees.left has a child that is before its parent"),
        ("right", 0, 1 << 30, "trees.right has a child that is before its parent, or not in its tree"),
        ("left", leaf, 1 << 31, "trees.left does not number the leaves"),
        ("threshold", leaf, 1, "leaves whose right child or threshold is not 0"),
        ("votes", 0, 1025, "votes do not add up to 1024"),
    ):
        values = np.frombuffer(base64.b64decode(trees[name]), ARRAYS[name]).copy()
        values[place] = value
        changed = {**document, "trees": {**trees, name: base64.b64encode(values.tobytes()).decode()}}
        with pytest.raises(sl.ParameterError, match=says):
            engine.apply_classifier(json.dumps(changed), trained.image)


def test_a_tree_deeper_than_any_is_refused(trained):
    document = json.loads(trained.classifier.document.data)
    classes, depth = len(document["classes"]), 70
    # Node 2i splits; 2i + 1 is its left child, a leaf, and 2i + 2 the next split.
    nodes = 2 * depth + 1
    split = np.arange(nodes) % 2 == 0
    split[-1] = False
    index = np.arange(nodes)
    arrays = {
        "feature": np.where(split, 0, -1),
        "threshold": np.zeros(nodes),
        "left": np.where(split, index + 1, np.cumsum(~split) - 1),
        "right": np.where(split, index + 2, 0),
        "votes": np.tile([1024] + [0] * (classes - 1), depth + 1),
    }
    document["trees"] = {"counts": [nodes]} | {
        name: base64.b64encode(values.astype(ARRAYS[name]).tobytes()).decode() for name, values in arrays.items()
    }
    with pytest.raises(sl.ParameterError, match="deeper than 64 splits"):
        engine.apply_classifier(json.dumps(document), trained.image)


def test_memory_of_an_engine_has_an_end_and_is_released():
    kernels = engine.Engine()
    before, mark = kernels.bytes, kernels.mark
    kernels.allocate(10 << 20)
    assert kernels.bytes > before
    kernels.release(mark)
    held = kernels.bytes
    kernels.allocate(10 << 20)
    assert kernels.bytes == held
    with pytest.raises(sl.EngineError, match="smaller tiles, fewer threads"):
        kernels.allocate(5 << 30)
    with pytest.raises(sl.SambaLabError, match="not in the engine's"):
        kernels.view(held, 1)
    with pytest.raises(sl.EngineError, match="no kernel fly"):
        kernels.call("fly")


def test_addresses_beyond_two_gibibytes_are_addresses():
    kernels = engine.Engine()
    kernels.allocate((2 << 30) + (64 << 20))
    image = IMAGES["uint8"][:30, :40]
    stack = FeatureStack(kernels, FeatureSpec("samba", sigmas=[1]), 1)
    tile = Tile(0, 0, 30, 0, 40)
    planes = stack.view(stack.compute(image[np.newaxis, :, :, np.newaxis], tile))
    assert same_bits(planes.transpose(1, 2, 0), engine.feature_stack(image, FeatureSpec("samba", sigmas=[1])))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_ends_the_work(threads):
    image = np.zeros((2000, 2000), np.uint8)
    out = np.full((2000, 2000, 6), -1, np.float32)
    spec = FeatureSpec.from_dict({"families": {"median": True}})
    heard = threading.Event()

    def interrupt():
        # Once more after a while: Python drops an interrupt that arrives in one of wasmtime's finalizers.
        for pause in (0.1, 0.7):
            if not heard.wait(pause):
                _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        engine.feature_stack(image, spec, tile=40, out=out, threads=threads)
    heard.set()
    assert (out == -1).any()


def test_a_kernel_that_traps_raises_and_the_next_one_works():
    kernels = engine.Engine()
    with pytest.raises(sl.EngineError, match="buildTables failed"):
        kernels.call("buildTables", -4096, 1000, -4096)
    assert engine.feature_stack(IMAGES["pixel"]).shape == (1, 1, 58)


def test_memory_does_not_grow_with_the_image():
    used = []

    class Watched(engine.Engine):
        def __del__(self):
            used.append(self.bytes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "Engine", Watched)
        for rows in (200, 2000):
            engine.feature_stack(np.zeros((rows, 200), np.uint8), FeatureSpec("samba", sigmas=[2]), tile=64, threads=1)
    assert len(used) == 2 and used[0] == used[1]


def test_features_of_a_newer_version_are_refused():
    kernels = engine.Engine()
    with pytest.raises(sl.EngineError, match="newer version"):
        halo_of(kernels, kernels.put(np.array([9999.0] + [0] * 7)), 1)


def test_without_wasmtime_the_error_says_how_to_install_it():
    script = (
        "import sys; sys.modules['wasmtime'] = None\n"
        "import sambalab as sl\n"
        "try: sl.engine.feature_stack([[1, 2]])\n"
        "except sl.EngineError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install sambalab[engine]" in done.stdout


def test_without_the_built_file_the_error_says_to_build(tmp_path, monkeypatch):
    monkeypatch.setattr(wasm, "_compiled", None)
    monkeypatch.setattr(wasm, "WASM_FILE", tmp_path / "engine.wasm")
    with pytest.raises(sl.EngineError, match="npm run build"):
        engine.feature_stack([[1, 2]])
    (tmp_path / "engine.wasm").write_bytes(b"\0asm not really")
    with pytest.raises(sl.EngineError, match="cannot be compiled"):
        engine.feature_stack([[1, 2]])
