"""The parts of a classifier as values: specs and documents, with their checks.

- ``feature_table``, ``features``: the table of feature families, and `FeatureSpec`.
- ``learners``: parameters of forests and boosted trees; ``parameters``: checks of single parameters.
- ``classes``: names and colours; ``forest``: trees as arrays; ``scores``: scores and reports.
- ``grey_range``: an image's black and white; ``trained_on``: how an image differs from those trained on.
- ``classifier_document``: all of it as JSON; ``classifier_description``: what a classifier says of itself.
- ``errors``: the package's exceptions; ``callers``: the user's code that called this package.

Nothing here reads a file but the tables that the build puts beside the sidecar. Imports nothing else of the package.
"""
