"""Labels and results in files. README.md says how a format is added.

- ``save``, ``load``: by the name's ending.
- ``content``: what is saved and loaded. ``overlay``, ``spread``: pixels made for a file.
- ``tiff``, ``png``, ``npy``, ``coco``: the formats. ``regions``, ``rle``: COCO's shapes. ``units``: of pixel sizes.
"""

from __future__ import annotations

from .content import Content, Kind, Loaded
from .formats import FORMATS, Format, load, save
from .overlay import overlay
from .spread import gathered, spread

__all__ = ["FORMATS", "Content", "Format", "Kind", "Loaded", "gathered", "load", "overlay", "save", "spread"]
