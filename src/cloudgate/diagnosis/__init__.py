"""Diagnosis: what usually goes wrong on a machine, and what does whoever helps need to see?"""
