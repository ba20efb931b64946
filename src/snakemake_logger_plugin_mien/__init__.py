"""Where Snakemake looks for what `logger: mien` in a profile names."""

from mien.watch.handler import LogHandler

__all__ = ["LogHandler"]
