"""A storm: a busy shop whose notifications come in any order and more than once, while the resources go on changing."""
