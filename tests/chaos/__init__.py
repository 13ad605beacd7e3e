"""The chaos journey: an anchor of real processes, and everything around it at its worst."""
