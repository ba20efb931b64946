"""The parametric portrait: what a face does, its shape, looks, light and picture."""
