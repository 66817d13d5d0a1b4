"""A numerical head: susceptibility, relaxation and the complex signal they make."""
