"""Files: our own format (`native`), and writing a file whole or not at all (`atomic`).

This file imports neither, so that testing an output directory does not cost an import of numpy.
"""
