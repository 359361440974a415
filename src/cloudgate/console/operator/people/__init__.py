"""People: who uses the console and the API, and what do they and their programs show for it?"""
