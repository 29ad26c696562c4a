"""Tests of the package. Folders stand for the package's; `features` and `onnx` compare computed values with other libraries."""
