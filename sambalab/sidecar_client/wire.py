"""Messages as lists of frames, as ``src/shared/frames.ts`` defines them.

A message is a JSON header and binary buffers. One that is larger than `CHUNK_BYTES` travels as several lists of frames.
"""

from __future__ import annotations

import json
import math
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from ..spec.errors import ProtocolError

PROTOCOL_VERSION = 1
CHUNK_BYTES = 1 << 20
MESSAGE_BYTES_MAX = 256 << 20
HEADER_BYTES_MAX = 256 << 10

_ASSEMBLIES_MAX = 16

Buffer = bytes | bytearray | memoryview
Header = dict[str, Any]


def encode(header: Header, buffers: Sequence[Buffer] = (), chunk_bytes: int = CHUNK_BYTES) -> list[list[Buffer]]:
    """Encode a message as one list of frames, or as several if it is larger than `chunk_bytes`.

    Raises
    ------
    ProtocolError
        If header or message are too large.
    """
    head = json.dumps({"v": PROTOCOL_VERSION, **header}, allow_nan=False, separators=(",", ":")).encode()
    if len(head) > HEADER_BYTES_MAX:
        raise ProtocolError(f"The header has {len(head)} bytes; at most {HEADER_BYTES_MAX} will do.")
    frames: list[Buffer] = [head, *(memoryview(buffer).cast("B") for buffer in buffers)]
    lengths = [len(frame) for frame in frames]
    total = sum(lengths)
    if total > MESSAGE_BYTES_MAX:
        raise ProtocolError(f"The message has {total} bytes; at most {MESSAGE_BYTES_MAX} will do.")
    if total <= chunk_bytes:
        return [frames]
    joined = memoryview(b"".join(frames))
    of = uuid.uuid4().hex
    count = math.ceil(total / chunk_bytes)
    return [
        [
            json.dumps(
                {"v": PROTOCOL_VERSION, "chunk": {"of": of, "index": i, "count": count, "lengths": lengths}}
            ).encode(),
            joined[i * chunk_bytes : (i + 1) * chunk_bytes],
        ]
        for i in range(count)
    ]


class Assembler:
    """Joins the chunks of one peer's messages."""

    def __init__(self) -> None:
        self._parts: OrderedDict[str, tuple[list[int], list[Buffer | None]]] = OrderedDict()

    def accept(self, frames: Sequence[Buffer]) -> tuple[Header, list[Buffer]] | None:
        """Add one list of frames.

        Returns
        -------
        tuple or None
            Header and buffers of the message that these frames complete; None if chunks are still missing.

        Raises
        ------
        ProtocolError
            If the frames are not a message of this protocol. The assembler stays usable.
        """
        if not frames:
            raise ProtocolError("The message has no frame; the first must be its header.")
        header = _parse(frames[0])
        if "chunk" not in header:
            return header, list(frames[1:])
        try:
            chunk = header["chunk"]
            of, index, count = str(chunk["of"]), int(chunk["index"]), int(chunk["count"])
            lengths = [int(length) for length in chunk["lengths"]]
        except (KeyError, TypeError, ValueError):
            raise ProtocolError("A chunk needs of (a name), index < count, and lengths (byte counts).") from None
        if not 0 <= index < count <= MESSAGE_BYTES_MAX // 1024 or not lengths or min(lengths) < 0 or len(frames) != 2:
            raise ProtocolError("A chunk needs of (a name), index < count, lengths (byte counts) and one buffer.")
        if sum(lengths) > MESSAGE_BYTES_MAX:
            raise ProtocolError(f"The message has {sum(lengths)} bytes; at most {MESSAGE_BYTES_MAX} will do.")
        _, pieces = self._parts.setdefault(of, (lengths, [None] * count))
        self._parts.move_to_end(of)  # the first one is the message that was continued longest ago
        if len(self._parts) > _ASSEMBLIES_MAX:
            self._parts.popitem(last=False)
        if len(pieces) != count:
            del self._parts[of]
            raise ProtocolError(f"Chunks of message {of} disagree on their count.")
        pieces[index] = frames[1]
        if any(piece is None for piece in pieces):
            return None
        del self._parts[of]
        joined = memoryview(b"".join(piece for piece in pieces if piece is not None))
        if len(joined) != sum(lengths):
            raise ProtocolError(f"The chunks hold {len(joined)} bytes and announce {sum(lengths)}.")
        whole: list[Buffer] = []
        start = 0
        for length in lengths:
            whole.append(joined[start : start + length])
            start += length
        return _parse(whole[0]), whole[1:]


def _parse(frame: Buffer) -> Header:
    if len(frame) > HEADER_BYTES_MAX:
        raise ProtocolError(f"The header has {len(frame)} bytes; at most {HEADER_BYTES_MAX} will do.")
    try:
        header = json.loads(bytes(frame).decode())
    except ValueError:
        raise ProtocolError("The first frame is not JSON in UTF-8.") from None
    if not isinstance(header, dict):
        raise ProtocolError("The header is not a JSON object.")
    if header.get("v") != PROTOCOL_VERSION:
        raise ProtocolError(
            f"The message has protocol version {header.get('v')!r}; this is version {PROTOCOL_VERSION}. "
            "Restart the kernel after an update of SambaLab."
        )
    return header
