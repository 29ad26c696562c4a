"""Parameters of forests and boosted trees: Python and TypeScript accept the same, and do not mix them."""

import random

import pytest

import sambalab as sl
from sambalab.spec.learners import complete_learner, is_boosting, is_learner, learner_request, parameter_names, presets
from sambalab.tests.typescript import typescript

# For each line of input: the completed parameters of a request, and whether other parameters are complete.
SCRIPT = """
import { learnerParams, zBoostingParams, zForestParams } from './learners';
import { readFileSync } from 'node:fs';
const out = readFileSync(0, 'utf8').split('\\n').filter(Boolean).map(line => {
  const { request, complete } = JSON.parse(line);
  try {
    const schema = complete.kind === 'boosting' ? zBoostingParams : zForestParams;
    return { params: learnerParams(request), complete: schema.strict().safeParse(complete).success };
  } catch (error) {
    return { error: error.message };
  }
});
console.log(JSON.stringify(out));
"""


def random_parameters(rng):
    """Make parameters that go together mostly."""
    values = {
        "preset": lambda: rng.choice(["samba", "deep", "boosting"]),
        "trees": lambda: rng.choice([1, 2000]),
        "rounds": lambda: rng.choice([1, 2000]),
        "learning_rate": lambda: rng.choice([1e-9, 0.5, 1]),
        "max_leaves": lambda: rng.choice([2, 1024]),
        "l2": lambda: rng.choice([0, 0.5, 1e6]),
        "patience": lambda: rng.choice([1, 2000, "never"]),
        "max_depth": lambda: rng.choice([1, 64]),
        "max_features": lambda: rng.choice([1, 4096, "sqrt"]),
        "min_leaf": lambda: rng.choice([1, 1_000_000]),
        "max_samples": lambda: rng.choice([1, 1 << 52, "all"]),
        "balanced": lambda: rng.choice([True, False]),
        "seed": lambda: rng.choice([0, (1 << 32) - 1]),
    }
    return {name: make() for name, make in values.items() if rng.random() < 0.25}


def test_python_and_typescript_agree_on_parameters(tmp_path):
    rng = random.Random(3)
    asked = []
    for _ in range(400):
        given = random_parameters(rng)
        try:
            request = learner_request(given)
        except sl.ParameterError as error:
            assert "for boosted trees" in str(error) or "has no" in str(error), (given, error)
            continue
        complete = {**presets()[rng.choice(list(presets()))]}
        name = rng.choice(list(complete))
        complete[name] = rng.choice(
            [0, -1, 1, 1.5, 3000, 1 << 53, None, True, "sqrt", "all", "boosting", complete[name]]
        )
        if rng.random() < 0.1:
            complete["extra"] = 1
        asked.append((given, {"request": request or {}, "complete": complete}))
    answers = typescript(SCRIPT, [line for _, line in asked], tmp_path)
    assert len(asked) > 150
    seen = {True: 0, False: 0}
    for (given, line), answer in zip(asked, answers, strict=True):
        assert answer.get("params") == complete_learner(given), (given, answer)
        assert is_learner(answer["params"])
        assert answer["complete"] == is_learner(line["complete"]), line["complete"]
        seen[answer["complete"]] += 1
    assert min(seen.values()) > 20


def test_every_preset_is_complete():
    assert {name: is_learner(params) for name, params in presets().items()} == dict.fromkeys(presets(), True)
    assert [name for name, params in presets().items() if is_boosting(params)] == ["boosting"]


def test_without_a_preset_trees_are_deep_and_probabilities_refined():
    assert complete_learner({}) == presets()["deep"] and presets()["deep"]["refine"] == 6
    assert complete_learner({"trees": 7}) == {**presets()["deep"], "trees": 7}


def test_a_parameter_of_one_kind_takes_a_preset_of_that_kind():
    assert is_boosting(complete_learner({"rounds": 7})) and complete_learner({"rounds": 7})["rounds"] == 7
    assert complete_learner({"preset": "samba", "trees": 7}) == {**presets()["samba"], "trees": 7}
    assert complete_learner({"preset": "boosting", "patience": "never", "max_samples": "all"}) == {
        **presets()["boosting"],
        "patience": None,
        "maxSamples": None,
    }
    assert learner_request(dict.fromkeys(parameter_names())) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"trees": 5, "rounds": 5},
            "trees is for forests, rounds for boosted trees; those of one kind will do. Forests",
        ),
        (
            {"preset": "samba", "l2": 1.0},
            "preset 'samba' has no l2; preset='boosting' will do, or .*: trees, max_depth",
        ),
        (
            {"preset": "boosting", "trees": 9},
            "'boosting' has no trees; preset='samba' or 'deep' will do, or .*: rounds",
        ),
        ({"learning_rate": 0}, r"learning_rate is 0; a number above 0, 1 at most, will do"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"l2": -1}, "l2 is -1; a number from 0 to 1,000,000 will do"),
        ({"l2": float("nan")}, "l2 is nan"),
        ({"max_leaves": 1}, "max_leaves is 1; a whole number from 2 to 1,024"),
        ({"patience": 0}, "patience is 0; a whole number from 1 to 2,000, or 'never', will do"),
        ({"preset": "boosting", "max_features": "log2"}, "'sqrt' or 'all'"),
        (
            {"preset": "deep", "max_features": "all"},
            "max_features is 'all'; a whole number from 1 to 4,096, or 'sqrt',",
        ),
    ],
)
def test_invalid_parameters_are_named_with_valid_values(given, says):
    with pytest.raises(sl.ParameterError, match=says):
        learner_request(given)
