"""The REST API and what is served beside it: parses, calls one function of the service, shows the answer."""
