"""The two contracts that the network knows, without any WASM: web auth, and an account's."""
