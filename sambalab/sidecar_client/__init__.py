"""The client of the sidecar: it starts the process, connects, relays messages and maps shared arrays.

- ``sidecar``: finds or starts the process; ``node``: finds Node.js; ``private_folder``: folders that no
  other user can replace; ``machine``: which computer this is; ``shutdown``: ends the process.
- ``connection``: one ZeroMQ connection; ``wire``: messages as frames.
- ``client``: Python's own requests; ``relay``: the browser's messages; ``kernel_requests``: those of them that
  the kernel answers itself; ``sessions``: the sessions of this process.
- ``arrays``: shared arrays; ``staging``: whole arrays in requests and replies.
- ``session_access``: the base of `Labeller`; ``keys``: how a session is found again; ``session_list``:
  all sessions as users see them; ``backups``: labels that were set aside; ``class_sets``: classes to use again.
- ``regions``: regions to label next; ``progress``: the progress of a job as a line of text.

Nothing here computes on pixels or knows what a message of the browser for the sidecar says. Imports ``files`` and ``spec``.
"""
