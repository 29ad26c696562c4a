"""Files and arrays from outside.

- ``images``: images, loaded and checked; ``data``: micrographs to try things on.
- ``classifier_files``: classifiers in files; ``sklearn_forest``: forests of scikit-learn.

Nothing here starts a sidecar or runs a kernel. Imports ``spec``.
"""
