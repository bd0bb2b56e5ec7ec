"""The reduced theory: equations, closed forms and exponents (numpy and scipy; sympy only when a derivation is asked for)."""

from .task import Task

__all__ = ["Task"]
