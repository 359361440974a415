"""Service commands: how are parts of Cloudgate started, logged and stopped?"""
