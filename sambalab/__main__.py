"""The command ``sambalab``, also ``python -m sambalab``: the SAM models on this computer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from .sidecar_client.model_folders import model_environment, models_home
from .sidecar_client.node import find_node
from .sidecar_client.sidecar import SERVER
from .spec.errors import SambaLabError

USAGE = """Usage: sambalab models list
       sambalab models add MODEL ENCODER DECODER [--to FOLDER]
       sambalab models verify [MODEL | FOLDER]...

The SAM models on this computer: which are here, take one from its files, check the files of one.
`sambalab models --help` tells more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        The words after ``sambalab``; None: those of the command line.

    Returns
    -------
    int
        0 if all went well, 1 if a model is wrong or missing, 2 for wrong arguments.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] in (["--help"], ["-h"], ["help"]):
        print(USAGE)
        return 0
    if words[:1] != ["models"]:
        print(USAGE, file=sys.stderr)
        return 2
    program = SERVER.with_name("models-cli.cjs")
    if not program.is_file():
        print(f"{program} is missing. In a source checkout, build it with: npm run build", file=sys.stderr)
        return 1
    try:
        node = find_node()
    except SambaLabError as error:
        print(error, file=sys.stderr)
        return 1
    environment = {**model_environment(), "SAMBALAB_MODELS_HOME": str(models_home())}
    return subprocess.run([node, str(program), *words[1:]], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
