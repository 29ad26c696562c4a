"""Classifiers as ONNX models in onnxruntime against `Classifier.apply`."""
