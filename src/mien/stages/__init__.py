"""One module per stage: reads files, writes files, nothing else."""
