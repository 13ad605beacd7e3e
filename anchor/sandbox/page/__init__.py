"""A wallet to click through in a browser: the sandbox holds its keys, signs and pays for it."""
