"""Client: how does a program ask a manager? The REST API, typed, for code that waits or awaits."""
