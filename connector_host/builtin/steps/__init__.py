"""Steps: middleware around every request to a product."""
