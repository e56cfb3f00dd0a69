"""Words of the command line."""


def counted(number: int, noun: str) -> str:
    """Return a number of things, as `1 problem` or `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
