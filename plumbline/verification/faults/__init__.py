"""The verifier verified: a catalogue of faults, each put into a stack alone, and the checks that must see it."""
