"""The settings of a stack: reads and checks `settings.env` for all components."""
