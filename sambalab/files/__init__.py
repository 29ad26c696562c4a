"""Files and arrays from outside.

- ``images``: images, opened and checked; ``data``: micrographs to try things on.
- ``other_images``: warnings and resampling for images unlike those that a classifier was trained on.
- ``classifier_files``: classifiers in files; ``sklearn_forest``: forests of scikit-learn.
- ``exports``: labels and results in files, and labels from files.
- ``whole_file``: writes files completely or not at all.
- ``regular``: opens files, and refuses pipes and devices.

Nothing here starts a sidecar or runs a kernel. Imports ``spec``.
"""
