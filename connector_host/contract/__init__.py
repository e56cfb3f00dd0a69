"""Floor 1: the words, promises and sockets that every other room shares; it imports nothing of ours."""
