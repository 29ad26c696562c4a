"""What a classifier is made of: features, learners, classes, scores, the classifier document, and the errors.

Imports nothing else of the package.
"""
