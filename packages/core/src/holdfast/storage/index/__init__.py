"""Search in memory: FAISS, postings, passages, graph. It knows no backend: a loader feeds it."""
