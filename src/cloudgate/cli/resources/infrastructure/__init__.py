"""Commands about backup servers, managed servers and repositories."""
