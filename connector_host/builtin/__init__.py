"""Floor 2, beside the kernel: the parts that come with the host; they enter through the sockets a stranger uses."""
