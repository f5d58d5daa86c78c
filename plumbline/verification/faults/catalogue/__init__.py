"""The faults, a module for each area."""
