"""The two-phase pipeline: turns -> facts (`extraction`) -> what changes (`consolidation`).

`conductor` asks the models and the file; every other room takes values and returns values.
"""
