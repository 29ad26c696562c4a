"""Constants of modules that must load without the built tables equal the limits of TypeScript."""

from sambalab.sidecar_client import wire
from sambalab.spec import forest
from sambalab.spec.tables import limits, parameter_limits


def test_constants_of_messages_are_those_of_the_protocol():
    messages = limits("messages")
    assert limits()["protocol"] == wire.PROTOCOL_VERSION
    assert messages["bytes"] == wire.MESSAGE_BYTES_MAX and messages["headerBytes"] == wire.HEADER_BYTES_MAX
    assert messages["chunkBytes"] == wire.CHUNK_BYTES and messages["unfinished"] == wire._ASSEMBLIES_MAX


def test_constants_of_forests_are_those_of_the_engine():
    assert limits("classifier")["cuts"] == forest.CUTS_MAX
    assert parameter_limits("forest")["maxDepth"]["maximum"] == forest.DEPTH_MAX
