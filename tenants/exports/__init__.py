"""Records become files, streamed as they are read, in forms that an import takes back to the same data."""
