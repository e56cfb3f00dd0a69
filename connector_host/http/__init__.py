"""One request: the server and its authentication, limits, retries, replies, tokens, TLS and the wire."""
