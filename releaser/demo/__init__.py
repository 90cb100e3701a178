"""The demonstration and the real surroundings it and the tests stand on.

Here live an engine, an image registry, images, a git repository and a mail server, each real, each private to a
folder, each gone afterwards. The story that walks the product through them stands on top; the product itself
imports nothing from here.
"""
