"""Router service: the technologies behind its ports."""
