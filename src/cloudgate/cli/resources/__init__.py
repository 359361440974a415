"""What can be asked and done from the command line? One module for each resource of the API."""
