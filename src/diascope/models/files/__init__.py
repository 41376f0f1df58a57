"""Networks that others trained, as files that are run as they are: ONNX, and TorchScript where a person trusts it."""
