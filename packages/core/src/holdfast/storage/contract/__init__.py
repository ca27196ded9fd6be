"""What every storage backend offers, and the values that cross the line; it imports no backend."""
