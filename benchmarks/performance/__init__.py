"""What runs take and how that grows, measured and told in `docs/performance.md`; see `__main__`."""
