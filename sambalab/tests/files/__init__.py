"""Tests of `sambalab.files`."""
