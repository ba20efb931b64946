"""What people type: pictures to files and back, what a face shows, what a file is."""
