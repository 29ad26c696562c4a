"""`Provenance`: what made a label."""

from __future__ import annotations

from enum import IntEnum


class Provenance(IntEnum):
    """The numbers in `Labeller.provenance`."""

    NONE = 0
    """Unlabelled, or labelled before SambaLab noted what made a label."""
    HAND = 1
    """Drawn by hand."""
    SAM = 2
    """A suggestion of SAM that was accepted."""
    INTERPOLATION = 3
    """Interpolated between labelled slices."""
    PYTHON = 4
    """Set by Python, or opened from a file."""


COLORS = {
    Provenance.HAND: "#0072b2",
    Provenance.SAM: "#e69f00",
    Provenance.INTERPOLATION: "#009e73",
    Provenance.PYTHON: "#cc79a7",
}
"""Colours for pictures and palettes."""
