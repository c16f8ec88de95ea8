"""What makes a glitch token: indicators from weights, the census, the embedding graph, and detectors."""
