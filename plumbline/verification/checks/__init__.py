"""What "right" means, one module a subject. The suites call these; none of them knows which target it runs on."""
