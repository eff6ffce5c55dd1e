"""Files: our own format (`native`), tensors from elsewhere (`tensors`), and writing a file whole or
not at all (`atomic`).

This file imports none, so that testing an output directory does not cost an import of numpy.
"""
