"""What carries the traffic? The host service: it owns Envoy and keeps it as the manager wants."""
