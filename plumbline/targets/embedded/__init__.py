"""The embedded target: the stack as processes of this machine, which needs only Python."""
