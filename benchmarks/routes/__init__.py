"""Every route of both services beside its floor."""
