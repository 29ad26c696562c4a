"""Setting `Labeller.contrast`: values of NumPy are taken, and what makes no picture is refused in words."""

import json

import numpy as np
import pytest

from sambalab import ParameterError
from sambalab.spec.parameters import contrast_of

USUAL = {"low": 0, "high": 255, "gamma": 1.0, "inverse": False, "channels": (True, True, True)}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, np.float16, np.float32, np.float64, np.longdouble])
def test_scalars_of_numpy_become_json(dtype):
    image = np.array([[3, 7], [50, 90]], dtype)
    wanted = {"low": image.min(), "high": image.max(), "gamma": dtype(2), "inverse": np.True_}
    sent = json.loads(json.dumps(contrast_of(wanted, USUAL), allow_nan=False))
    assert sent == {"low": 3, "high": 90, "gamma": 2, "inverse": True, "channels": [True, True, True]}


@pytest.mark.parametrize("of", [tuple, list, np.array])
def test_channels_are_a_tuple_a_list_or_an_array(of):
    wanted = contrast_of({"channels": of([False, True, True])}, USUAL)
    assert json.dumps(wanted["channels"]) == "[false, true, true]"


def test_what_is_left_out_is_as_usual():
    assert contrast_of({}, USUAL) == {**USUAL, "channels": [True, True, True]}
    assert contrast_of(None, USUAL) is None


ONE = "three bools with at least one True will do"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (5, "contrast is 5; None or a dict of low, high, gamma, inverse, channels will do."),
        ([1, 2], "contrast is [1, 2]; None or a dict of low, high, gamma, inverse, channels will do."),
        ({"gama": 2}, "There is no parameter gama; these will do: low, high, gamma, inverse, channels."),
        ({1: 2}, "There is no parameter 1; these will do: low, high, gamma, inverse, channels."),
        ({"low": float("nan")}, "low is nan; a finite number will do."),
        ({"high": np.float32("inf")}, "high is np.float32(inf); a finite number will do."),
        ({"high": 10**309}, f"high is {str(10**309)[:77]}…; a finite number will do."),
        ({"low": None}, "low is None; a finite number will do."),
        ({"low": True}, "low is True; a finite number will do."),
        ({"low": "3"}, "low is '3'; a finite number will do."),
        ({"high": 1j}, "high is 1j; a finite number will do."),
        ({"low": 300}, "low is 300; a number below high, 255, will do."),
        ({"low": 255}, "low is 255; a number below high, 255, will do."),
        (
            {"low": -1e308, "high": 1e308},
            "low is -1e+308 and high is 1e+308; numbers that differ by less than 1.79e+308 will do.",
        ),
        ({"gamma": 0}, "gamma is 0; 0.1 to 10 will do."),
        ({"gamma": 10.5}, "gamma is 10.5; 0.1 to 10 will do."),
        ({"gamma": float("nan")}, "gamma is nan; 0.1 to 10 will do."),
        ({"gamma": "1"}, "gamma is '1'; 0.1 to 10 will do."),
        ({"inverse": 1}, "inverse is 1; True or False will do."),
        ({"channels": (False, False, False)}, f"channels is (False, False, False); {ONE}."),
        ({"channels": [True, True]}, f"channels is [True, True]; {ONE}."),
        ({"channels": [1, 1, 1]}, f"channels is [1, 1, 1]; {ONE}."),
        (
            {"channels": np.ones((3, 3), bool)},
            f"channels is array([[ True, True, True], [ True, True, True], [ True, True, True]]); {ONE}.",
        ),
        ({"channels": np.array(True)}, f"channels is array(True); {ONE}."),
        ({"channels": "red"}, f"channels is 'red'; {ONE}."),
    ],
)
def test_what_makes_no_picture_is_refused_with_what_will_do(wrong, says):
    with pytest.raises(ParameterError) as error:
        contrast_of(wrong, USUAL)
    assert str(error.value) == says
