"""The client of the sidecar: it starts the process, connects, relays messages and maps shared arrays.

Imports ``files`` and ``spec``.
"""
