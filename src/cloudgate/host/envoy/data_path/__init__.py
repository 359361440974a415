"""Data path: which way do tunnels go through Envoy? By its HTTP alone, or by a module of ours."""
