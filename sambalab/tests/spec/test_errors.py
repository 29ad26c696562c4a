"""Each error code of the protocol has a class in Python."""

import re
from pathlib import Path

from sambalab import SambaLabError
from sambalab.spec import errors

CODES = Path(__file__).parents[3] / "src/shared/errors.ts"


def test_every_code_of_the_protocol_has_a_class():
    listed = CODES.read_text().split("ERROR_CODES = [")[1].split("]")[0]
    codes = re.findall(r"^\s+'([a-z-]+)'", listed, re.M)
    assert len(codes) > 10
    for code in codes:
        assert code in errors._CLASSES, code
        error = errors.from_code(code, "why")
        assert isinstance(error, SambaLabError) and str(error) == "why"
    assert type(errors.from_code("made-up", "why")) is errors.InternalError
