"""A command's body: declared requests, Python functions, processes of their own, fan-out and paging."""
