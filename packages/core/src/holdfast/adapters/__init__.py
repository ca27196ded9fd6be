"""For adapters only: open files by path, and how to ask a framework's own model."""
