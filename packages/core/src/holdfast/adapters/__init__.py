"""For adapters only: open files by path, storage calls off the loop, a framework's own model."""

from holdfast.runtime import Runner

__all__ = ["Runner"]
