"""A dictionary as a function: words come in as text, what they mean goes out as text."""

WORDS = {
    "potato": "a live connection that is about to move",
    "sealed": "encrypted for one reader, and no other",
    "gateway": "the front door, which holds no key",
    "container": "a process that serves one function",
}


def handle(req: str) -> str:
    """The meaning of each word of a request, one a line."""
    words = req.split()
    if not words:
        return "words: " + " ".join(sorted(WORDS))
    return "\n".join(f"{word}: {WORDS.get(word.lower(), 'not in the dictionary')}" for word in words)
