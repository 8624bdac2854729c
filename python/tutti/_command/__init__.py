"""What python -m tutti is made of; start at ../__main__.py."""
