"""HTTP: what does a request ask for, and how is it answered?"""
