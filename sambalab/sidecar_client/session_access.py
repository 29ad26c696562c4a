"""A labeller's access to its session: requests, shared arrays, and repair after the sidecar was restarted."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from ..files.images import Image
from ..spec.callers import calling_frame
from ..spec.errors import DamageWarning, ImageError, SambaLabWarning, SessionNotFoundError, SidecarError
from ..spec.parameters import whole
from .arrays import identity, map_array, write_array
from .client import Client
from .connection import Connection

Array = npt.NDArray[Any]
State = dict[str, Any]

#: What is wrong with model files, as far as the user was told.
_problems_told: set[str] = set()

CLOSED = "This labeller is closed. Make it again with sambalab.Labeller(image)."


class SessionAccess:
    """The base of `Labeller`. The constructor of `Labeller` sets the attributes."""

    _client: Client
    _lock: threading.Lock
    _maps: dict[str, tuple[tuple[Any, ...], Array]]
    _closed: bool
    _stack: bool
    _session: str
    _open_params: dict[str, Any]
    _state: State
    _pixels: Array
    _pixels_file: tuple[str, int, int]
    _damage_told: str | None = None
    """When the damage was found of which the user was told last."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels: (rows, columns), of a stack (slices, rows, columns)."""
        slices, rows, columns, _ = self._open_params["image"]["shape"]
        return (slices, rows, columns) if self._stack else (rows, columns)

    def _request(self, method: str, params: dict[str, Any] | None = None, **options: Any) -> State:
        if self._closed:
            raise SidecarError(CLOSED)
        result = self._client.request(method, {"session": self._session, **(params or {})}, **options).result
        problem = result.get("problem")
        if problem and problem not in _problems_told:
            _problems_told.add(problem)
            warnings.warn(str(problem), SambaLabWarning, stacklevel=calling_frame()[1])
        return result

    def _refresh(self) -> State:
        """Fetch the session's state, which another kernel or the widget may have changed, and join the session."""
        state = self._accept(self._mend(self._request("session.attach"), self._call))
        self._warn_of_damage(state)
        return state

    def _warn_of_damage(self, state: State, stacklevel: int = 4) -> None:
        """Warn once of each damage, in the user's thread: `_accept` runs in others as well."""
        recovered = state["recovered"]
        if recovered and recovered["at"] != self._damage_told:
            self._damage_told = recovered["at"]
            warnings.warn(str(recovered["text"]), DamageWarning, stacklevel=stacklevel)

    def _accept(self, state: State) -> State:
        self._state = state
        return state

    def _call(self, method: str, params: dict[str, Any]) -> State:
        return self._client.request(method, params).result

    def _restore(self, connection: Connection) -> None:
        """Open the session again on a restarted sidecar, over the connection of the thread that reconnected."""

        def call(method: str, params: dict[str, Any]) -> State:
            return connection.call(method, params)[0]

        try:
            state = call("session.attach", {"session": self._session})
        except SessionNotFoundError:
            state = call("session.open", {**self._open_params, "classes": self._state["classes"], "again": True})
        self._accept(self._mend(state, call))

    def _repair(self, digest: str) -> None:
        """Write the pixels again if the sidecar waits for those of this labeller."""
        if not self._closed and digest == self._open_params["image"]["digest"]:
            self._accept(self._mend(self._request("session.attach"), self._call))

    def _mend(self, state: State, call: Callable[[str, dict[str, Any]], State]) -> State:
        """Write the pixels again if the sidecar lost them; adopt the session's image if another labeller replaced it."""
        if state["image"]["digest"] != self._open_params["image"]["digest"]:
            if state["image"]["shape"] != self._open_params["image"]["shape"]:
                raise SidecarError(
                    f"The session {self._open_params['title'] or self._session} now holds an image of another shape. "
                    "Run this labeller's cell again, or give the labeller another name."
                )
            self._open_params = {**self._open_params, "image": state["image"]}
            self._map_pixels(state)
        if not state["imageReady"]:
            if Image(self._pixels, self._stack).digest() != self._open_params["image"]["digest"]:
                raise SidecarError("The pixels of the image are gone. Run this labeller's cell again.")
            write_array(state["arrays"]["image"], self._pixels)
            state = call("image.ready", {"session": self._session})
        if identity(state["arrays"]["image"]) != self._pixels_file:
            self._map_pixels(state)
        return state

    def _map_pixels(self, state: State) -> None:
        self._pixels = map_array(state["arrays"]["image"])
        self._pixels_file = identity(state["arrays"]["image"])

    def _array(self, name: str, state: State) -> Array:
        descriptor = state["arrays"].get(name)
        if descriptor is None:
            raise SidecarError(f"The sidecar has no array {name} for this session.")
        key = (*identity(descriptor), descriptor["dtype"], tuple(descriptor["shape"]))
        with self._lock:
            known = self._maps.get(name)
            if known is None or known[0] != key:
                known = self._maps[name] = (key, map_array(descriptor))
        return known[1] if self._stack else known[1][0]

    @property
    def _slices(self) -> int:
        return int(self._open_params["image"]["shape"][0])

    def _slice(self, slice: int) -> int:
        return whole("slice", slice, 0, self._slices - 1)

    def _single(self, what: str, instead: str) -> None:
        if self._stack:
            raise ImageError(f"This is a stack of {self._slices} slices: use lab.{instead}(slice) in place of {what}.")
