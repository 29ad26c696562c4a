"""The ipywidget that stands for a session in a notebook. It carries the session's id and nothing big."""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets

from . import __version__

MODULE = "sambalab"


class LabellerWidget(ipywidgets.DOMWidget):  # type: ignore[misc]
    """Shows a session; everything else goes over the browser's own comm."""

    _model_name = traitlets.Unicode("LabellerModel").tag(sync=True)
    _model_module = traitlets.Unicode(MODULE).tag(sync=True)
    _model_module_version = traitlets.Unicode(f"^{__version__}").tag(sync=True)
    _view_name = traitlets.Unicode("LabellerView").tag(sync=True)
    _view_module = traitlets.Unicode(MODULE).tag(sync=True)
    _view_module_version = traitlets.Unicode(f"^{__version__}").tag(sync=True)

    session = traitlets.Unicode(help="The session's id.").tag(sync=True)
    title = traitlets.Unicode(help="What the widget calls the image.").tag(sync=True)

    def __init__(self, session: str, title: str, **kwargs: Any) -> None:
        super().__init__(session=session, title=title, **kwargs)
