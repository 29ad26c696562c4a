"""Files and arrays from outside: images, classifier files, scikit-learn forests, example data.

Imports ``spec`` and nothing else of the package.
"""
