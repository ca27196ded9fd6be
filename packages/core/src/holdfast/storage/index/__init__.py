"""Search in memory: FAISS, postings, columns, graph. It knows no backend: a loader feeds it."""
