"""The compiled core of entangle: it sees numbers, never a pact, a name or a file."""
