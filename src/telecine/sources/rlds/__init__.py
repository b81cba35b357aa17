"""RLDS: episodes as TensorFlow Datasets stores them (Open X-Embodiment, Bridge, Fractal, DROID)."""
