"""Models: what Holdfast asks of them (`base`), and the ones it brings (`local`, `openai`)."""
