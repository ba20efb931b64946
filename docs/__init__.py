"""The pages, and what builds and checks them: `make docs`."""
