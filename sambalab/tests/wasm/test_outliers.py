"""A few hot pixels of a detector do not change what the default finds in the rest of the image."""

import numpy as np
import pytest

import sambalab as sl
from sambalab import engine
from sambalab.wasm.intensity import intensity_of

SIZE = 400
SPEC = sl.FeatureSpec(embedding=None)


def blurred_noise(seed, sigma):
    noise = np.fft.rfft2(np.random.default_rng(seed).normal(size=(SIZE, SIZE)))
    rows, columns = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None]
    return np.fft.irfft2(noise * np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2)), (SIZE, SIZE))


@pytest.fixture(scope="module")
def sample():
    """Three phases in noise, 16 bits; the truth; labels of some pixels."""
    height = blurred_noise(0, 8)
    low, high = np.quantile(height, [0.35, 0.75])
    truth = (1 + (height > low) + (height > high)).astype(np.uint8)
    random = np.random.default_rng(50)
    grey = np.array([0, 800, 1000, 1250])[truth] + random.normal(0, 90, truth.shape)
    labels = np.where(random.random(truth.shape) < 0.005, truth, 0).astype(np.uint8)
    return grey.clip(0, 65535).astype(np.uint16), truth, labels


def hot(image, count, value=65535):
    out = image.copy()
    out.reshape(-1)[np.random.default_rng(3).choice(out.size, count, replace=False)] = value
    return out


def trained(image, labels):
    return engine.train(image, labels, ["dark", "middle", "bright"], SPEC, preset="deep")


def iou(found, truth):
    return np.mean([((found == c) & (truth == c)).sum() / ((found == c) | (truth == c)).sum() for c in (1, 2, 3)])


@pytest.mark.parametrize("count", [3, 10, 40])
def test_hot_pixels_among_160000_cost_the_default_less_than_a_hundredth_of_its_accuracy(sample, count):
    image, truth, labels = sample
    classifier = trained(image, labels)
    clean = iou(classifier.apply(image, engine="python"), truth)
    assert clean > 0.9
    spoilt = hot(image, count)
    assert iou(classifier.apply(spoilt, engine="python"), truth) > clean - 0.01
    own = trained(spoilt, labels)
    assert iou(own.apply(spoilt, engine="python"), truth) > clean - 0.01


def test_a_pixel_of_1e30_spoils_nothing_in_a_float_image(sample):
    image, truth, labels = sample
    floats = (image / 1000).astype(np.float32)
    classifier = trained(floats, labels)
    clean = iou(classifier.apply(floats, engine="python"), truth)
    assert iou(classifier.apply(hot(floats, 1, 1e30), engine="python"), truth) > clean - 0.01


def test_an_image_without_outliers_is_standardised_by_its_plain_mean_and_deviation(sample):
    image = sample[0]
    found = intensity_of(image[None, ..., None], 1)
    assert found.mean == pytest.approx(image.mean(), rel=1e-12)
    assert found.deviation == pytest.approx(image.std(), rel=1e-12)


def test_two_rare_bright_phases_remain_two_although_both_are_far_from_the_mean():
    # They cover 0.6 % of an even background, 60 and 150 deviations from its mean.
    random = np.random.default_rng(4)
    image = random.normal(20, 1, (300, 300)).astype(np.float32)
    image[100:116, 50:66] += 60
    image[100:116, 150:166] += 150
    found = intensity_of(image[None, ..., None], 1)
    assert found.deviation < 2
    pixels = engine.feature_stack(image, sl.FeatureSpec.from_dict({"families": {}, "standardise": True}))[..., 0]
    dimmer, brighter = pixels[100:116, 50:66], pixels[100:116, 150:166]
    assert brighter.min() - dimmer.max() > 2 * dimmer.std()


def test_a_bright_phase_that_grows_changes_the_deviation_steadily():
    # From 0.2 to 1.4 % of the image. Were values that far out just left out, the deviation would jump from 1 to 4.
    deviations = []
    for share in range(20, 150, 10):
        image = np.random.default_rng(4).normal(20, 1, (100, 100)).astype(np.float32)
        image.reshape(-1)[:share] += 40
        deviations.append(intensity_of(image[None, ..., None], 1).deviation)
    steps = np.divide(deviations[1:], deviations[:-1])
    assert (steps > 1).all() and steps.max() < 1.5 and deviations[-1] > 4


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("value", [65535, 0])
def test_the_intensity_of_an_image_with_hot_pixels_does_not_depend_on_threads(sample, threads, value):
    pixels = np.stack([hot(sample[0], 20, value), sample[0]])[..., None]
    assert intensity_of(pixels, threads) == intensity_of(pixels, 1)
