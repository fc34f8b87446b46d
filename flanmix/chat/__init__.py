"""Conversations as texts, tokens and labels: chat templates, the spans of the assistant, and what is trained."""
