"""Read and write files.

| module | what |
|---|---|
| `native` | the project's own file: arrays and metadata, with checksums |
| `tensors` | named tensors of other programs: `.npz`, `.safetensors` |
| `npy` | the bytes of one array |
| `measured` | tables of results: JSON, and the Markdown beside it |
| `untrusted` | open a file from outside; all limits |
| `text`, `compressed`, `kinds` | UTF-8, JSON and TOML; zip and gzip; the types of JSON values |
| `atomic`, `temporary`, `lock` | write a file whole or not at all, in several processes at once |

This module imports none of them, so that a check of an output directory does not import numpy.
"""
