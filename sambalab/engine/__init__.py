"""SambaLab's engine in Python: features and classifiers without a sidecar, on scripts' and clusters' machines.

It runs the same ``engine.wasm`` as the sidecar does, by wasmtime (``pip install sambalab[engine]``), and gives the same bits
whatever the tiles and the number of threads. Here is nothing that talks to a sidecar or to a notebook.

>>> from sambalab import FeatureSpec, engine
>>> stack = engine.feature_stack(image, FeatureSpec("weka", median=True))
>>> classifier = engine.train(image, labels, ["matrix", "pore"])
>>> labels = engine.apply_classifier(classifier, image)
"""

from __future__ import annotations

from .api import apply_classifier, feature_stack, quantise
from .training import train
from .wasm import Engine

__all__ = ["Engine", "apply_classifier", "feature_stack", "quantise", "train"]
