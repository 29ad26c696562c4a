"""Feature specs in Python, and that TypeScript completes them alike."""

import copy
import pickle
import random
import re

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec
from sambalab.spec import feature_table, tables
from sambalab.tests.typescript import typescript


def test_the_sets_have_the_channels_of_their_models():
    # SAMBA's 58; Weka's default channels in its order, all of the Hessian among them.
    samba = FeatureSpec("samba")
    assert samba.count() == 58 and FeatureSpec("weka").count() == 76
    assert samba.names()[:4] == ("original", "sobel σ=0", "hessian module σ=0", "hessian trace σ=0")
    assert samba.count(3) == 174 and FeatureSpec("samba", color="luminance").count(3) == 58
    assert samba.names(3)[58] == "green: original"


def test_the_default_set_has_sambas_families_standardised_and_an_embedding():
    assert FeatureSpec() == FeatureSpec.from_dict({}) == FeatureSpec("sam") == FeatureSpec.of("sam")
    assert FeatureSpec() == FeatureSpec("samba", standardise=True, embedding=True)
    assert FeatureSpec(color="luminance").count(3) == FeatureSpec().count() == 58 + 8


def test_families_are_added_taken_away_and_changed():
    spec = FeatureSpec("weka", median=True, membrane=False, entropy={"bins": [32]}, gaussian={"sigmas": (1, 2.5)})
    assert "membrane" not in spec.families and spec.families["entropy"] == {"bins": [32]}
    assert [name for name in spec.names() if name.startswith(("gaussian", "median"))] == [
        "gaussian σ=1",
        "gaussian σ=2.5",
        *(f"median r={sigma}" for sigma in (1, 2, 4, 8, 16)),
    ]
    assert spec.sigma_scale == 0.4 and spec.sigmas == (1, 2, 4, 8, 16)
    assert spec == FeatureSpec(
        "weka", membrane=None, median={}, entropy={"bins": np.array([32])}, gaussian={"sigmas": [np.float32(1), 2.5]}
    )


def test_a_spec_is_a_value():
    spec = FeatureSpec("samba", median=True, range=(0, 4095))
    same = FeatureSpec("samba", sigmas=[1.0, 2, 4, 8, 16], median=True, range=[0.0, 4095])
    assert spec == same and hash(spec) == hash(same) and spec != FeatureSpec("samba") and spec != "samba"
    for again in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec)), FeatureSpec.from_dict(spec.to_dict())):
        assert again == spec
    with pytest.raises(AttributeError):
        spec.sigmas = (1,)
    spec.to_dict()["sigmas"].append(3)
    spec.families["median"]["sigmas"] = [3]
    assert spec == same


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (FeatureSpec(), "FeatureSpec('sam')"),
        (FeatureSpec("samba"), "FeatureSpec('samba')"),
        (FeatureSpec("weka", mean=True), "FeatureSpec('weka', mean=True)"),
        (
            FeatureSpec("samba", membrane={"patch": 9}, sobel=False, sigmas=[1, 3]),
            "FeatureSpec('samba', sigmas=[1, 3], sobel=False, membrane={'patch': 9})",
        ),
        (FeatureSpec("sam", mean=True), "FeatureSpec('sam', mean=True)"),
        (FeatureSpec("weka", embedding=True), "FeatureSpec('weka', embedding=True)"),
    ],
)
def test_the_text_of_a_spec_makes_it_again(spec, text):
    assert repr(spec) == text and eval(text) == spec


def test_names_of_both_languages_are_read_in_mappings():
    spec = FeatureSpec.from_dict({"sigmaScale": 0.5, "families": {"structureTensor": {"integrations": [2]}}})
    assert spec == FeatureSpec.from_dict({"sigma_scale": 0.5, "families": {"structure_tensor": {"integrations": [2]}}})
    assert spec.families.keys() == {"structure_tensor"} and "structureTensor" in spec.to_dict()["families"]
    with pytest.raises(sl.ParameterError, match="sigma_scale is there twice"):
        FeatureSpec.from_dict({"sigmaScale": 0.5, "sigma_scale": 0.5})


def test_an_embedding_adds_its_components_after_the_families():
    spec = FeatureSpec("sam")
    assert spec.names()[:58] == FeatureSpec("samba").names() and spec.names()[58:] == tuple(
        f"SAM {i + 1}" for i in range(8)
    )
    assert spec.count() == 66 and spec.count(3) == 3 * 58 + 8
    assert spec.embedding == {
        "model": "mobile-sam",
        "window": None,
        "views": 1,
        "layers": [{"layer": "output", "components": 8}],
    }
    layers = [{"layer": "stage2", "components": 2}, {"layer": "output", "components": 1}]
    other = FeatureSpec("weka", embedding={"layers": layers})
    assert other.names()[-3:] == ("SAM stage2 1", "SAM stage2 2", "SAM 1")
    assert FeatureSpec("samba", embedding=True).embedding == spec.embedding
    assert FeatureSpec("sam", embedding=None, standardise=False) == FeatureSpec("samba")
    assert FeatureSpec("samba").embedding is None and FeatureSpec("sam", embedding=False).embedding is None
    # A list of families is complete.
    assert FeatureSpec.from_dict({"set": "sam", "families": {"mean": True}}).embedding is None


@pytest.mark.parametrize(("shape", "window"), [((1, 1), 128), ((128, 129), 129), ((700, 950), 950), ((20000, 5), 1024)])
def test_an_image_gives_the_window_that_shows_it_whole_if_it_can(shape, window):
    spec = FeatureSpec("sam").with_window(*shape)
    assert spec.embedding["window"] == window and spec.with_window(1000, 1000) is spec
    assert FeatureSpec("samba").with_window(*shape) == FeatureSpec("samba")


def test_the_set_says_whether_images_are_standardised_unless_families_are_listed():
    assert FeatureSpec("sam").standardise and not FeatureSpec("samba").standardise
    assert FeatureSpec("samba", standardise=True).standardise and not FeatureSpec("sam", standardise=False).standardise
    assert not FeatureSpec.from_dict({"set": "sam", "families": {"mean": True}}).standardise


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"version": 2}, r"version is 2; 1 will do"),
        ({"set": "ilastik"}, r"set is 'ilastik'; sam, samba, weka will do"),
        ({"sigma": 3}, r"features\.sigma is not known; .*sigma_scale.*structure_tensor.* will do"),
        ({"sigmas": 3}, r"sigmas is 3; a list of 1 to 16 numbers"),
        ({"sigmas": []}, r"sigmas is \[\]; a list"),
        ({"sigmas": [1, 65]}, r"sigmas\.1 is 65; a number from 0\.1 to 64"),
        ({"sigmas": [2, 1]}, r"numbers that ascend"),
        ({"sigmas": "12"}, r"sigmas is '12'"),
        ({"sigmas": [float("nan")]}, r"sigmas\.0 is nan"),
        ({"sigmas": [True]}, r"sigmas\.0 is True"),
        ({"sigmas": [10**400]}, r"sigmas\.0 is 1000"),
        ({"sigmas": [1j]}, r"sigmas\.0 is 1j"),
        ({"sigma_scale": 0}, r"sigma_scale is 0; a number from 0\.1 to 1"),
        ({"color": "rgb"}, r"color is 'rgb'; channels or luminance"),
        ({"range": (5, 5)}, r"range is \(5, 5\); two numbers"),
        ({"range": 7}, r"range is 7"),
        ({"membrane": {"patch": 20}}, r"membrane\.patch is 20; an odd number from 3 to 63"),
        ({"membrane": {"patch": 5, "thickness": 5}}, r"membrane\.thickness is 5; a number below patch, 5,"),
        ({"membrane": {"size": 5}}, r"membrane\.size is not known; patch, thickness"),
        ({"membrane": 19}, r"membrane is 19; True, False, or a mapping"),
        ({"laplacian": {"sigma": 1}}, r"laplacian\.sigma is not known; sigmas"),
        ({"entropy": {"bins": [2.5]}}, r"entropy\.bins\.0 is 2\.5; a whole number from 2 to 256"),
        ({"structure_tensor": {"sigmas": list(range(1, 17)), "integrations": list(range(1, 9))}, "sigmas": list(range(1, 17)),
          "derivatives": True, "entropy": True, "neighbours": True, "hessian_orientation": True}, "channels; 682 at most"),
        ({"standardise": 1}, "standardise is 1; True or False will do"),
        ({"embedding": 3}, r"embedding is 3; True, False, or a mapping of its parameters"),
        ({"embedding": {"size": 3}}, r"embedding\.size is not known; model, window, views, layers"),
        ({"embedding": {"model": ""}}, r"embedding\.model is ''; the name of a model"),
        ({"embedding": {"window": 64}}, r"embedding\.window is 64; a whole number from 128 to 1024"),
        ({"embedding": {"window": 1025}}, r"embedding\.window is 1025; a whole number from 128 to 1024"),
        ({"embedding": {"window": 200.5}}, r"embedding\.window is 200\.5; a whole number from 128 to 1024"),
        ({"embedding": {"views": 3}}, r"embedding\.views is 3; 1, 2, 4"),
        ({"embedding": {"views": True}}, r"embedding\.views is True; 1, 2, 4"),
        ({"embedding": {"layers": []}}, r"embedding\.layers is \[\]; a list of 1 to 4 layers"),
        ({"embedding": {"layers": [{"layer": "stage9", "components": 3}]}},
         r"embedding\.layers\.0\.layer is 'stage9'; stage1, stage2, stage3, output"),
        ({"embedding": {"layers": [{"layer": "output", "components": 65}]}},
         r"embedding\.layers\.0\.components is 65; a whole number from 1 to 64"),
        ({"embedding": {"layers": [{"layer": "output", "components": 3}] * 2}}, "each layer once"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_valid_values(given, says):
    with pytest.raises(sl.ParameterError, match=says):
        FeatureSpec(**given)


def test_values_other_than_specs_are_refused():
    for wrong in (None, 7, [1], ("samba",)):
        with pytest.raises(sl.ParameterError, match="FeatureSpec, 'sam', 'samba', 'weka' or a mapping"):
            FeatureSpec.of(wrong)
    with pytest.raises(sl.ParameterError, match="not a feature spec"):
        FeatureSpec.from_dict("samba")
    with pytest.raises(sl.ParameterError, match="channels is 2"):
        FeatureSpec().count(2)


def test_without_the_built_table_the_error_says_to_build(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "FOLDER", tmp_path)
    tables.built_table.cache_clear()
    try:
        with pytest.raises(sl.SambaLabError, match="npm run build"):
            FeatureSpec()
    finally:
        tables.built_table.cache_clear()


# For each line of input: the completed spec with its names and program, or the error.
SCRIPT = """
import { featureSpec, featureNames, featureProgram } from './features';
import { readFileSync } from 'node:fs';
const out = readFileSync(0, 'utf8').split('\\n').filter(Boolean).map(line => {
  try {
    const spec = featureSpec(JSON.parse(line));
    return { spec, names: [1, 3].map(n => featureNames(spec, n)), program: Array.from(featureProgram(spec)) };
  } catch (error) {
    return { error: error.message };
  }
});
console.log(JSON.stringify(out));
"""


def random_choice(rng):
    """Make a choice of features that mostly will do."""
    families = feature_table.families()

    def number(parameter):
        low, high = parameter["minimum"], parameter["maximum"]
        if rng.random() < 0.02:
            return rng.choice([low - 1, high + 1, "3", None, True, [], {}, 1e300, low + 1e-9])
        if parameter.get("odd"):
            return rng.randrange(low, high + 1, 2)
        return rng.randint(low, high) if parameter.get("whole") else round(rng.uniform(low, high), rng.randint(1, 6))

    def value(parameter):
        if not parameter.get("list") or rng.random() < 0.01:
            return number(parameter)
        count = rng.randint(1, min(4, parameter["list"]))
        return sorted({number(parameter) for _ in range(count)} if rng.random() < 0.98 else [4, 2]) if count else []

    def some(make):
        try:
            return make()
        except TypeError:  # sorting or hashing other values than numbers
            return [1, "2"]

    sigmas = {"minimum": 0.1, "maximum": 64, "list": 5}

    def family(own):
        if rng.random() < 0.3:
            return rng.choice([True, True, False, None, {}, 7, "on", []] if rng.random() < 0.1 else [True, False])
        given = {
            name: some(lambda p=p: value(p)) for name, p in own.get("parameters", {}).items() if rng.random() < 0.5
        }
        if rng.random() < 0.3 or (rng.random() < 0.02):
            given["sigmas"] = some(lambda: value(sigmas))
        return given

    choice = {own["name"]: family(own) for own in families if rng.random() < 0.25}
    if rng.random() < 0.2:
        choice = {"families": choice}
    for name, make in {
        "set": lambda: rng.choice(["samba", "weka", "weka", "samba", "sam", "sam", "sam", "other", 3]),
        "version": lambda: rng.choice([1, 2, 2, 3]),
        "color": lambda: rng.choice(["channels", "luminance", "luminance", "grey"]),
        "sigmas": lambda: some(lambda: value(sigmas)),
        "sigmaScale": lambda: rng.choice([0.4, 1, 0.123, 0.5, 2, "1"]),
        "range": lambda: rng.choice([[0, 255], [-1.5, 3.25], None, [3, 3], [1], "ab"]),
        "standardise": lambda: rng.choice([True, False, True, False, None, 1, "yes"]),
        "embedding": lambda: rng.choice([True, True, False, None, *(embedding(rng) for _ in range(12)), 7, "on", []]),
        "unknown": lambda: 1,
    }.items():
        if rng.random() < (0.02 if name == "unknown" else 0.15):
            choice[name] = make()
    return choice


def embedding(rng):
    """Make the fields of an embedding that mostly will do."""
    names = [*feature_table.encoder_layers("mobile-sam")]
    layers = [
        {"layer": layer, "components": rng.choice([1, 8, 16, 64])} for layer in rng.sample(names, rng.randint(1, 4))
    ]
    if rng.random() < 0.3:
        wrong = [0, 65, 2.5, None, "8"]
        layers = rng.choice(
            [
                *([], layers * 2, None, "output", [3], [{"layer": "output"}], [{"components": 8}]),
                *([{**layers[0], "more": 1}], [{"layer": "stage4", "components": 8}]),
                [{"layer": "output", "components": rng.choice(wrong)}],
            ]
        )
    fields = {
        "model": rng.choice(["mobile-sam", "another", "x" * 100] * 4 + ["x" * 101, "", None, 3]),
        "window": rng.choice([None, 128, 200, 1024] * 4 + [127, 1025, 0, 256.5, "512", True]),
        "views": rng.choice([1, 2, 4] * 4 + [0, 3, 2.5, "4", True, None]),
        "layers": layers,
        "unknown": 1,
    }
    return {name: value for name, value in fields.items() if rng.random() < (0.03 if name == "unknown" else 0.6)}


def test_python_and_typescript_agree_on_random_choices(tmp_path):
    rng = random.Random(20)
    choices = [{}, {"set": "weka"}, *(random_choice(rng) for _ in range(1500))]
    answers = typescript(SCRIPT, choices, tmp_path)
    good = 0
    for choice, answer in zip(choices, answers, strict=True):
        try:
            spec = FeatureSpec.from_dict(choice)
        except sl.ParameterError as error:
            assert "error" in answer, (choice, str(error))
            assert blunt(str(error)) == blunt(answer["error"]), choice
            continue
        assert "error" not in answer, (choice, answer)
        good += 1
        assert spec.to_dict() == answer["spec"]
        assert [list(spec.names(n)) for n in (1, 3)] == answer["names"]
        assert spec.program.ravel().tolist() == answer["program"]
        assert FeatureSpec.from_dict(answer["spec"]) == spec and eval(repr(spec)) == spec
    assert 200 < good < len(choices) - 200


def blunt(message):
    """Make errors of both languages alike: names in snake case, and without the value, which each shows in its own way."""
    snaked = re.sub(r"(?<=[a-z])[A-Z]", lambda match: f"_{match[0]}", message)
    snaked = snaked.replace("an object ", "a mapping ").replace("null", "none")
    return re.sub(r" is (?!not known).*; (.*)", r" is …; \1", snaked).lower()
