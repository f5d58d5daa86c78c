"""The embedded target: real parts as processes of this machine, for one that has Python and nothing else."""
