"""mbt2018-mean on CompressAI: the model, its streams and its weights."""
