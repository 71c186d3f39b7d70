"""Messages about records that may not be sent, and about unknown status words. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping

REASONS_SHOWN = 10
WORDS_SHOWN = 5


def held_back_lines(held_back: Counter[str]) -> Iterator[str]:
    """The reasons, the commonest first."""
    for reason, count in held_back.most_common(REASONS_SHOWN):
        yield f"  {count:>19,} {reason}"
    if len(held_back) > REASONS_SHOWN:
        others = sum(held_back.values()) - sum(count for _, count in held_back.most_common(REASONS_SHOWN))
        yield f"  {others:>19,} for {len(held_back) - REASONS_SHOWN:,} other reasons"


def unclear_lines(unclear: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """A line for each column with unknown words, and what to write into the pipeline file."""
    for column, words in unclear_words(unclear).items():
        shown = [f'"{word}" ({count:,})' for word, count in words.most_common(WORDS_SHOWN)]
        more = f" and {len(words) - WORDS_SHOWN:,} more" if len(words) > WORDS_SHOWN else ""
        yield (
            f'the column "{column}" seems to say who may be mailed, and its words are not known:'
            f" {', '.join(shown)}{more}. Say what they mean, as load.opt_out:"
            f' {{column: "{column}", blocked: […], allowed: […]}}, or with allowed: any'
        )


def unclear_words(unclear: Mapping[tuple[str, str], int]) -> dict[str, Counter[str]]:
    """The words of each column, with how many records have them."""
    by_column: dict[str, Counter[str]] = {}
    for (column, word), count in unclear.items():
        by_column.setdefault(column, Counter())[word] += count
    return by_column


def blocked_json(reasons: Counter[str]) -> list[dict[str, str | int]]:
    """The commonest first."""
    return [{"reason": reason, "rows": count} for reason, count in reasons.most_common()]


def unclear_json(unclear: Mapping[tuple[str, str], int]) -> list[dict[str, str | int]]:
    return [
        {"column": column, "word": word, "rows": count}
        for column, words in unclear_words(unclear).items()
        for word, count in words.most_common()
    ]
