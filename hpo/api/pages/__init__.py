"""The web pages: frames of HTML that the server fills in, and modules that read the rest over REST."""
