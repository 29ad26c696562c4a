"""The SAM models that may suggest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .client import client


@dataclass(frozen=True)
class SamModel:
    """A model of the SAM family.

    Attributes
    ----------
    id
        Its name for `Labeller.sam_model` and ``sambalab models``.
    title
        Its name for people.
    license
        SPDX identifier of the weights' licence.
    state
        ``"ready"``: its files are here and have the right inputs and outputs; ``"broken"``: files are here that have not;
        ``"missing"``: none were found.
    folder
        Where its files are; None if they are built in or missing.
    problem
        What is wrong and what would do; of a model that is ready, with the files that were passed over. None: nothing.
    """

    id: str
    title: str
    license: str
    state: Literal["ready", "broken", "missing"]
    folder: str | None
    problem: str | None


def sam_models() -> list[SamModel]:
    """List the models that may suggest, with those whose files are not here.

    MobileSAM is built in. ``sambalab models add`` takes the files of others; nothing is downloaded unless that asks for it.

    Returns
    -------
    list of SamModel
        MobileSAM first.
    """
    fields = ("id", "title", "license", "state", "folder", "problem")
    models = client().request("sam.models", {}).result["models"]
    return [SamModel(**{field: model[field] for field in fields}) for model in models]
