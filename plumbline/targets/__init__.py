"""The targets. Only these modules know how a component is started or stopped."""
