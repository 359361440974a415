"""How is the REST API described to programs and to people? OpenAPI 3.1, made from what runs."""
