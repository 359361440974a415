"""Delivery: what do operators install, and how does it come to be? `make dist` makes it."""
