"""What the record taught, what it could not, and what of that matters for a choice between pacts."""
