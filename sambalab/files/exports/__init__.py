"""Labels and results in files. README.md says how a format is added.

- ``save``, ``load``: by the name's ending.
- ``content``: what is saved and loaded. ``overlay``, ``spread``: pixels made for a file.
- ``tiff``, ``png``, ``npy``, ``coco``: the formats. ``regions``, ``rle``: COCO's shapes. ``units``: of pixel sizes.
"""

from __future__ import annotations

from .content import Content, Loaded
from .formats import load, save
from .overlay import overlay
from .spread import gathered, spread

__all__ = ["Content", "Loaded", "gathered", "load", "overlay", "save", "spread"]
