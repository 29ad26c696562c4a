"""Tests of `sambalab.sidecar_client` against a real sidecar."""
