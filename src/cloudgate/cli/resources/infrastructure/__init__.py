"""Infrastructure commands: what can be done with servers and repositories?"""
