"""Settings: what has whoever started the manager decided? Pure."""
