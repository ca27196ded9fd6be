"""Holdfast for LlamaIndex."""
