"""Tests of the objectives against slow references that share no code with them."""
