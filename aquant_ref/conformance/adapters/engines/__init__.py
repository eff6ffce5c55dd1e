"""Put real engines under test: onnxruntime, the ONNX reference evaluator, LiteRT and torch."""
