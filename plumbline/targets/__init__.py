"""Ways to carry out the one plan. Only these modules know how a component is started or stopped."""
