"""R2*, T2* and S0 from the magnitude of several echoes."""
