"""Writing ONNX files directly from plans and arrays: no torch, the same bytes for the same content."""
