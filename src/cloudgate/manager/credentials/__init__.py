"""User names and passwords for parts of the infrastructure."""
