"""Bars with their indicators as a web page or a picture."""
