"""The same answers by other means, to measure the engine against."""
