"""The bundle for commercetools Connect (decisions.md 16): a Node-shaped folder with the Python product in it."""
