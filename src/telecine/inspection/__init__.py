"""Recordings and datasets looked at without changing them."""
