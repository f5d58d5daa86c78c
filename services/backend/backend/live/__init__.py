"""Live events: sockets of this process, the events that all processes share, and the frames that travel."""
