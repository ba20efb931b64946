"""mien: learned image compression that keeps facial expressions readable."""
