"""A number and what it counts, as people write them: 1 lead, 2 leads, 1,234 leads."""


def counted(number: int, one: str, many: str = "") -> str:
    """`many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
