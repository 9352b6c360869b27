"""Fitting the engine to the record: what is believed before, what the record says, and what of it holds."""
