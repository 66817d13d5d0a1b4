"""What is written: products, their sidecars, the methods text and its references."""
