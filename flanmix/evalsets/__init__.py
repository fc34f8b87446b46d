"""Tasks as eval sets: zero- and few-shot prompts with their answer choices, for rank classification and for harnesses."""
