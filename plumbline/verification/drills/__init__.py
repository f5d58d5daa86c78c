"""Drills: parts of a stack are killed, stopped and stalled while clients use it; then what was lost is counted."""
