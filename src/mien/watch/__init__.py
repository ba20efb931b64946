"""What a person sees of a workflow while it runs."""
