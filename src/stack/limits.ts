/** What bytes of memory may be set to at most: a tebibyte. */
export const MOST_MEMORY = 2 ** 40
