"""The ipywidget of a session. Its state is the session's id and title, and the direction of the slices that are shown.

Labels and images use the browser's own comm.
"""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets

from .version import __version__

MODULE = "sambalab"

OUTPUT_TYPE = "application/vnd.sambalab.labeller+json"
"""The MIME type by which SambaLab's JupyterLab extension knows an output of a labeller."""


class LabellerWidget(ipywidgets.DOMWidget):  # type: ignore[misc]
    """Shows a session in a notebook."""

    _model_name = traitlets.Unicode("LabellerModel").tag(sync=True)
    _model_module = traitlets.Unicode(MODULE).tag(sync=True)
    _model_module_version = traitlets.Unicode(f"^{__version__}").tag(sync=True)
    _view_name = traitlets.Unicode("LabellerView").tag(sync=True)
    _view_module = traitlets.Unicode(MODULE).tag(sync=True)
    _view_module_version = traitlets.Unicode(f"^{__version__}").tag(sync=True)

    session = traitlets.Unicode(help="The session's id.").tag(sync=True)
    title = traitlets.Unicode(help="The title of the image.").tag(sync=True)
    direction = traitlets.Unicode("xy", help="The direction of the slices: xy, xz or yz.").tag(sync=True)

    def __init__(self, session: str, title: str, **kwargs: Any) -> None:
        super().__init__(session=session, title=title, **kwargs)


_shown: dict[str, LabellerWidget] = {}


def widget_of(session: str, title: str) -> LabellerWidget:
    """Give the widget of a session. A session has one widget, which its labellers share.

    A cell that runs again shows the same widget: with a new one for each run, old ones would stay in the kernel and in the page.
    The widget outlives its labellers, because a cell's output shows it even if no variable refers to a labeller.
    """
    widget = _shown.get(session)
    if widget is None or widget.comm is None:  # closed, perhaps by Widget.close_all
        widget = _shown[session] = LabellerWidget(session, title)
    widget.title = title
    return widget


def close_widget_of(session: str) -> None:
    """Close the widget of a session, if there is one."""
    widget = _shown.pop(session, None)
    if widget is not None:
        widget.close()
