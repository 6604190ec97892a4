"""`kensa serve`: verdicts on maps over HTTP, by ONNX Runtime, with the champion of the moment."""
