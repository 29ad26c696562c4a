"""Classifiers as ONNX models: onnxruntime gives the results of `Classifier.apply`."""

import json

import numpy as np
import pytest

import sambalab as sl
from sambalab.tests.shared_data import marked, shared_image

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("wasmtime")

from sambalab import engine  # noqa: E402

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

NONE = {"gaussian": False, "sobel": False, "hessian": False, "difference_of_gaussians": False, "membrane": False}


def three_classes(image):
    """Dark, middle and bright, at a few pixels."""
    grey = image.mean(axis=2) if image.ndim == 3 else image
    low, high = np.nanquantile(grey, [0.3, 0.7])
    truth = 1 + (grey > low) + (grey > high)
    chosen = np.random.default_rng(5).random(grey.shape) < min(1, 4000 / grey.size)
    return np.where(chosen, truth, 0).astype(np.uint8)


def trained(image, features="samba", trees=40, **forest):
    return engine.train(image, three_classes(image), ["dark", "middle", "bright"], features, trees=trees, **forest)


def session_of(classifier, folder):
    path = folder / "classifier.onnx"
    classifier.save(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 2
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def expect_same(session, classifier, image, allowed=2e-5):
    """Compare; where a feature is a last digit away from a cut pixels may differ, and labels then where votes are near a tie."""
    labels, probabilities = session.run(["labels", "probabilities"], {"image": image.astype(np.float32)})
    wanted = classifier.apply(image, "probabilities", engine="python")
    assert labels.dtype == np.uint8 and labels.shape == image.shape[:2]
    assert probabilities.dtype == np.float32 and probabilities.shape == wanted.shape
    most = max(1, int(labels.size * allowed))
    assert np.count_nonzero((probabilities != wanted).any(axis=-1)) <= most
    # A tree whose pixel takes another branch moves at most its own share.
    np.testing.assert_allclose(probabilities, wanted, atol=3 / classifier.n_trees)
    different = labels != classifier.apply(image, engine="python")
    assert np.count_nonzero(different) <= most
    best = np.sort(wanted[different], axis=-1)
    assert (best[:, -1] - best[:, -2] <= 3 / classifier.n_trees).all()


MICROGRAPHS = {
    "gold": lambda: sl.data.nanoporous_gold().image,
    "particles": lambda: sl.data.micrograph("particles", seed=1).image,
    "grains": lambda: sl.data.micrograph("grains", seed=2).image,
    "superalloy": lambda: shared_image("superalloy_0.png"),
    "tomography": lambda: shared_image("tomography_0.tif"),
}


@pytest.mark.parametrize("name", marked(MICROGRAPHS, shared=("superalloy", "tomography")))
def test_onnxruntime_alone_gives_the_labels_of_apply(name, tmp_path):
    image = MICROGRAPHS[name]()
    image = np.ascontiguousarray(image)
    classifier = trained(image)
    expect_same(session_of(classifier, tmp_path), classifier, image)


def noisy(shape, dtype="uint8", seed=0):
    """Smooth blobs with noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(shape[:2])
    plane = 100 + 50 * np.sin(rows / 7) * np.cos(columns / 5)
    image = plane.reshape(*shape[:2], *[1] * (len(shape) - 2)) + random.normal(0, 12, shape)
    if dtype == "uint8":
        return image.clip(0, 255).astype(dtype)
    return (image * 200).clip(0, None).astype(dtype) if dtype == "uint16" else (image / 77 - 1).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("features", ["samba", "weka"])
def test_every_kind_of_pixel_and_both_sets_are_the_same(dtype, features, tmp_path):
    image = noisy((90, 113), dtype)
    classifier = trained(image, features)
    expect_same(session_of(classifier, tmp_path), classifier, image, 1e-3)


@pytest.mark.parametrize("color", ["channels", "luminance"])
def test_three_channels_are_taken_one_by_one_or_as_their_luminance(color, tmp_path):
    image = noisy((64, 75, 3))
    classifier = trained(image, sl.FeatureSpec("samba", sigmas=[1, 3], color=color))
    session = session_of(classifier, tmp_path)
    assert session.get_inputs()[0].shape == ["rows", "columns", 3]
    expect_same(session, classifier, image, 1e-3)


@pytest.mark.parametrize(
    "families",
    [
        {"mean": True, "variance": True, "minimum": True, "maximum": True},
        {"median": {"sigmas": [1, 1.5, 2, 3.3, 4]}, "neighbours": True},
        {"derivatives": {"sigmas": [1, 3, 8]}, "laplacian": True},
        {"structure_tensor": {"sigmas": [1, 4]}},
        {"kuwahara": {"length": 9}},
        {"gabor": True},
    ],
    ids=lambda families: "+".join(families),
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_other_families_are_the_same(families, dtype, tmp_path):
    image = noisy((70, 81), dtype)
    classifier = trained(image, sl.FeatureSpec("samba", **{**NONE, **families}))
    # Gabor is made by the runtime's own convolution, which adds in an order of its own.
    expect_same(session_of(classifier, tmp_path), classifier, image, 1e-2 if "gabor" in families else 1e-3)


@pytest.mark.parametrize("value", [0, 37])
def test_even_regions_give_the_same_kuwahara_features_black_ones_too(value, tmp_path):
    image = noisy((70, 81))
    image[10:40, 20:50] = value
    for length in (5, 19):
        classifier = trained(image, sl.FeatureSpec("samba", **NONE, kuwahara={"length": length}))
        expect_same(session_of(classifier, tmp_path), classifier, image, 1e-3)


def test_even_regions_give_gabor_features_of_0_at_any_brightness(tmp_path):
    image = noisy((70, 81), "uint16")
    image[:, 30:60] = 60_000
    classifier = trained(image, sl.FeatureSpec("samba", **NONE, gabor=True))
    expect_same(session_of(classifier, tmp_path), classifier, image, 1e-2)


def test_a_forest_that_is_grown_out_is_the_same(tmp_path):
    image = noisy((90, 113))
    classifier = trained(image, preset="deep", refine=0)
    expect_same(session_of(classifier, tmp_path), classifier, image, 1e-3)


def test_refined_probabilities_are_the_same_by_the_intensity_that_is_given_or_the_images_own(tmp_path):
    image = noisy((90, 113))
    classifier = trained(image, preset="deep")
    assert classifier.document.fields["forest"]["refine"] == 6
    session = session_of(classifier, tmp_path)
    wanted = classifier.apply(image, "probabilities", engine="python")
    plain = image.astype(np.float64)
    for intensity in ([plain.mean(), plain.std()], [np.nan, np.nan]):
        inputs = {"image": image.astype(np.float32), "intensity": np.array(intensity)}
        labels, probabilities = session.run(["labels", "probabilities"], inputs)
        np.testing.assert_allclose(probabilities, wanted, atol=1e-3)
        ordered = np.sort(wanted, axis=-1)
        clear = ordered[..., -1] - ordered[..., -2] > 2e-3
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(labels[clear], classifier.apply(image, engine="python")[clear])


@pytest.mark.parametrize("value", [65535, 1e30])
def test_a_model_finds_the_mean_and_deviation_of_an_image_with_hot_pixels_itself(value, tmp_path):
    image = noisy((90, 113), "float32")
    classifier = trained(image, sl.FeatureSpec("samba", sigmas=[1, 4], standardise=True), preset="deep")
    session = session_of(classifier, tmp_path)
    image[[0, 20, 70], [5, 60, 110]] = value
    wanted = classifier.apply(image, "probabilities", engine="python")
    told = {"image": image, "intensity": np.array(engine.intensity(image))}
    assert np.count_nonzero(np.abs(session.run(["probabilities"], told)[0] - wanted) > 1e-3) <= 20
    inputs = {"image": image, "intensity": np.array([np.nan, np.nan])}
    labels, probabilities = session.run(["labels", "probabilities"], inputs)
    assert np.count_nonzero(np.abs(probabilities - wanted) > 1e-3) <= 20
    assert np.count_nonzero(labels != classifier.apply(image, engine="python")) <= 2
    assert [np.count_nonzero(labels == c) > 500 for c in (1, 2, 3)] == [True, True, True]


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (3, 5), (37, 150)])
def test_images_of_any_size_are_segmented(shape, tmp_path):
    classifier = trained(noisy((60, 60)), sl.FeatureSpec("weka", median={"sigmas": [2]}, mean=True), trees=10)
    expect_same(session_of(classifier, tmp_path), classifier, noisy(shape, seed=3), 1e-3)


def test_tiles_with_the_halo_around_give_what_the_whole_image_gives(tmp_path):
    image = noisy((120, 140))
    session = session_of(trained(image, sl.FeatureSpec("samba", sigmas=[1, 4])), tmp_path)
    halo = int(session.get_modelmeta().custom_metadata_map["sambalab.halo"])
    assert halo == 4 * 4 + 2
    whole = session.run(["probabilities"], {"image": image.astype(np.float32)})[0]
    for row in range(0, 120, 40):
        for column in range(0, 140, 70):
            top, left = max(0, row - halo), max(0, column - halo)
            tile = image[top : row + 40 + halo, left : column + 70 + halo].astype(np.float32)
            part = session.run(["probabilities"], {"image": tile})[0]
            inner = part[row - top : row - top + 40, column - left : column - left + 70]
            np.testing.assert_array_equal(inner, whole[row : row + 40, column : column + 70])


def test_nan_and_infinite_features_take_the_same_branches(tmp_path):
    # Determinants of this image overflow: some are infinite, and infinity less infinity is no number.
    image = noisy((60, 70), "float32") * np.float32(2e19)
    spec = sl.FeatureSpec("weka", sigmas=[1])
    stack = engine.feature_stack(image, spec)
    assert np.isnan(stack).any() and np.isinf(stack).any()
    # The training image has few of them, so that there are cuts.
    learned = image * np.linspace(0, 1, 70, dtype=np.float32)
    classifier = trained(learned, spec)
    expect_same(session_of(classifier, tmp_path), classifier, image, 1e-3)


def test_the_metadata_say_what_the_classifier_is(tmp_path):
    image = noisy((60, 60))
    classifier = trained(image, sl.FeatureSpec("weka", sigmas=[1, 2]), trees=5)
    session = session_of(classifier, tmp_path)
    metadata = session.get_modelmeta().custom_metadata_map
    assert [entry["name"] for entry in json.loads(metadata["sambalab.classes"])] == ["dark", "middle", "bright"]
    assert sl.FeatureSpec.from_dict(json.loads(metadata["sambalab.features"])) == sl.FeatureSpec("weka", sigmas=[1, 2])
    assert metadata["sambalab.version"] == "1" and json.loads(metadata["sambalab.pixelSize"]) is None
    assert [output.name for output in session.get_outputs()] == ["labels", "probabilities"]
    again = sl.Classifier.load(tmp_path / "classifier.onnx")
    np.testing.assert_array_equal(again.apply(image), classifier.apply(image))


def test_features_that_onnx_does_not_express_are_named(tmp_path):
    image = noisy((60, 60))
    classifier = trained(
        image, sl.FeatureSpec("samba", sigmas=[1, 8], entropy=True, lipschitz=True, median=True), trees=3
    )
    with pytest.raises(sl.SambaLabError, match=r"median r=8 \(r=4 at most\), entropy, lipschitz\. Train without them"):
        classifier.save(tmp_path / "classifier.onnx")
    assert not (tmp_path / "classifier.onnx").exists()
