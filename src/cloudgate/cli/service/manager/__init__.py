"""Manager service: how is a manager started, and stopped with nothing left?"""
