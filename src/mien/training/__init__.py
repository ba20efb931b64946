"""The loss, the engine and its optimisers."""
