"""Live events: this process's sockets, events between processes, and WebSocket frames."""
