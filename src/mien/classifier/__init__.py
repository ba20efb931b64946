"""LibreFace's ResNet-18 and its weights."""
