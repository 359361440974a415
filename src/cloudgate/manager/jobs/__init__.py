"""Jobs: what does the manager do by itself, because time has passed or something has changed?"""
