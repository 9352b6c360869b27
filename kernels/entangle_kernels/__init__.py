"""The compiled core of entangle: arrays in, arrays out; no pact, no label, no file."""
