"""Tasks as eval sets: zero- and few-shot prompts with the answers to choose from, as rows and as tasks of a harness."""
