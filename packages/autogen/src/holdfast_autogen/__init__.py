"""Holdfast for AutoGen."""
