"""The contestants, one module each with `run(work)`: seconds for `plan` (all before the first row) and `build`.

A module's imports are done before its clock starts. Each runs in a process of its own (../processes.py).
"""
