"""Answers to choose from: the styles in which they are listed, their order, and what the answer is then."""
