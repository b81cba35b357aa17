"""`telecine view`: a page for datasets and recordings on this machine. It shows what the library computes.

The page's own files are in `page/`: plain ES modules, which need no build step and load nothing from a network.
"""
