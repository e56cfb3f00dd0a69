"""Floor 2, beside the kernel: the parts that come with the host. They enter through the same sockets as a stranger's."""
