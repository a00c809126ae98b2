"""The embedded clips: what they are and how they are made."""
