"""Core of the client: what is said with a manager, step by step? Without a socket or a clock."""
