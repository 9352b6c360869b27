"""Philox4x32 on Python's own integers: it lives in the package, where it retells single disputes."""

from __future__ import annotations

from entangle_kernels.replay import philox

WORD = 2**32

__all__ = ["WORD", "philox"]
