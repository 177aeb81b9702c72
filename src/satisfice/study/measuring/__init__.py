"""What is known or measured of a configuration: size, latency, memory, architectures that are the same."""
