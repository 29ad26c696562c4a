"""The labeller: an image in a notebook cell, its labels, and what a classifier learns from them.

- ``labeller``: `Labeller`: the session, its classes and labels, training.
- ``kept_labels``: backups, labels of other sessions, and the start without labels.
- ``label_files``: labels and results in files, and labels from files.
- ``widget_files``: the widget's requests for them.
- ``results``: segmentation, probabilities, uncertainty, classifier and features as arrays.
- ``picture``: the small PNG that a notebook keeps.
- ``phase_fractions``: phase fractions of several images as one, with intervals.
- ``suggestions``: the regions to label next, and the masks that SAM suggests.

Nothing but ``picture`` and saved files compute on pixels: arrays are maps of the sidecar's files.
Imports ``classifier``, ``widget`` and what lies below.
"""

from __future__ import annotations

from . import widget_files  # registers the handlers of its requests
from .labeller import Labeller
from .phase_fractions import phase_fractions
from .suggestions import CarriedObject, DrawnObjects, SimilarObjects, Suggestion

__all__ = [
    "CarriedObject",
    "DrawnObjects",
    "Labeller",
    "SimilarObjects",
    "Suggestion",
    "phase_fractions",
    "widget_files",
]
