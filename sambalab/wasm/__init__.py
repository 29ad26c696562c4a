"""``engine.wasm`` run in this process by wasmtime: features, training and segmentation without a sidecar.

- ``engine``: the compiled kernels and their memory; ``threads``: work on several of them.
- ``stack``: tiles of the feature stack; ``embedding``, ``intensity``: what else the features need of an image.
- ``forest``: bins and forests applied to tiles; ``refine``: probabilities smoothed along edges.
- ``sample``: the pixels and cuts that a forest is trained on; ``training``: how it is grown.
- ``api``: whole images, arrays in and arrays out. ``sambalab.engine`` is its public face.

Nothing here talks to a sidecar, a notebook or a `Classifier`. Imports ``spec`` and ``files``.
"""
