"""The nouns: frozen values that travel between the rooms, one name each."""
