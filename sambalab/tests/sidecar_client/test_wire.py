"""Messages as frames, and large ones in chunks."""

import random

import pytest

from sambalab import ProtocolError
from sambalab.sidecar_client import wire


def test_a_small_message_is_one_list_of_frames():
    parts = wire.encode({"id": "a"}, [b"xy", memoryview(b"z")])
    assert len(parts) == 1
    header, buffers = wire.Assembler().accept(parts[0])
    assert header == {"v": 1, "id": "a"}
    assert [bytes(buffer) for buffer in buffers] == [b"xy", b"z"]


def test_a_large_message_comes_together_from_chunks_in_any_order():
    content = [bytes(random.Random(1).randbytes(2500)), b"", b"tail"]
    parts = wire.encode({"id": "b"}, content, chunk_bytes=700)
    assert len(parts) > 3
    random.Random(2).shuffle(parts)
    assembler = wire.Assembler()
    done = [assembler.accept(frames) for frames in [parts[0], *parts]]
    assert done[:-1] == [None] * len(parts)
    header, buffers = done[-1]
    assert header["id"] == "b" and [bytes(buffer) for buffer in buffers] == content


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"no JSON"],
        [b"\xff\xfe"],
        [b"[1]"],
        [b'{"v": 2}'],
        [b'{"v": 1, "chunk": {}}', b""],
        [b'{"v": 1, "chunk": null}', b""],
        [b'{"v": 1, "chunk": {"of": "a", "index": 2, "count": 2, "lengths": [1]}}', b""],
        [b'{"v": 1, "chunk": {"of": "a", "index": 0, "count": 1, "lengths": [9]}}', b"1"],
        [b'{"v": 1, "chunk": {"of": "a", "index": 0, "count": 1, "lengths": [1]}}'],
        [b'{"v": 1, "chunk": {"of": "a", "index": 0, "count": 1, "lengths": [999999999999]}}', b""],
        [b'{"v": 1, "a": "' + b"x" * wire.HEADER_BYTES_MAX + b'"}'],
    ],
)
def test_invalid_frames_are_refused_and_the_next_message_is_taken(frames):
    assembler = wire.Assembler()
    with pytest.raises(ProtocolError):
        assembler.accept(frames)
    assert assembler.accept([b'{"v": 1, "id": "c"}']) is not None


def test_a_header_that_is_too_large_is_not_sent():
    with pytest.raises(ProtocolError, match="header"):
        wire.encode({"text": "x" * wire.HEADER_BYTES_MAX})
