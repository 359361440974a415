"""OpenAPI: how is the REST API described to programs and to people?"""
