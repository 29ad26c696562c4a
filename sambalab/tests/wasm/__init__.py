"""Tests of `sambalab.wasm`, mostly through `sambalab.engine`."""
