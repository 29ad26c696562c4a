"""PNG: class ids with a palette of the class colours, or the colours of an overlay; one slice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from ...spec.errors import LabelError, ParameterError
from ..regular import open_regular
from .content import KEY, Content, Loaded, classes_of, size_of
from .units import in_metres


def write(path: str, content: Content) -> None:
    """Write a slice. Classes and pixel size are in the text chunk ``sambalab``, as JSON; metres in ``pHYs`` as well."""
    if len(content.pixels) > 1:
        raise ParameterError(
            f"A PNG holds one slice, and this is a stack of {len(content.pixels)}; .tif and .ome.tif hold stacks, and "
            "slice=0 saves a slice."
        )
    image = Image.fromarray(np.ascontiguousarray(content.pixels[0]))
    if content.kind == "ids":
        image = image.convert("L")
        image.putpalette(content.palette().tobytes())
    info = PngImagePlugin.PngInfo()
    info.add_text(KEY, json.dumps(content.description()))
    metres = in_metres(content.pixel_size)
    # Dots per inch, which Pillow rounds to whole pixels per metre, a number of 32 bits.
    options = {} if metres is None or not 1 <= 1 / metres < 2**31 else {"dpi": (0.0254 / metres,) * 2}
    image.save(path, "PNG", pnginfo=info, **options)


def read(path: Path) -> Loaded:
    """Read the values of a grey picture, or the numbers of a palette, not its colours."""
    with open_regular(path, LabelError) as file, Image.open(file, formats=("PNG",)) as image:
        if image.mode not in ("P", "L", "1", "I", "I;16"):
            raise LabelError(
                f"{path} is a picture in colour ({image.mode}), so its pixels are no class ids; a grey PNG or one with a "
                "palette will do."
            )
        ids = np.asarray(image)
        text = image.info.get(KEY)
    described = None if text is None else json.loads(text)
    return Loaded(ids, None if text is None else classes_of(described, path), size_of(described))
