"""Hard negatives from a language model shown examples: kinds, prompts, examples and the checks on its replies."""
