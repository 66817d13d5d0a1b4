"""Networks in ONNX: their description, their session and volumes in patches."""
