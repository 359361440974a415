"""Data path: how does Envoy carry tunnels at the least cost? By a module in C, and its build."""
