"""Data sets on disk: layouts, the drawn faces, the split, the shards."""
