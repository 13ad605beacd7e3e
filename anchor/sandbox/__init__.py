"""Everything an anchor can be tried on: a local network, a simulated bank, a demo wallet."""

#: The asset that a sandbox anchor serves.
CODE = "USDC"
