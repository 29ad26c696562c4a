"""Tests of `sambalab.spec`."""
