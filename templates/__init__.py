"""Instruction templates, one YAML file for each task type."""
