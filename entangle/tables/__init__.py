"""Results as tables for people, in a terminal or as plain text."""
