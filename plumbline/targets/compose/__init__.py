"""The compose target: the stack as containers of a Docker engine, described by docker/compose.yaml."""
