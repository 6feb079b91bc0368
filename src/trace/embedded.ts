/*
 * A recording within the page that shows it, so that one file is enough, without a network. It stands in an
 * element that no browser runs.
 */

const OPENED = '<script type="application/json" id="recording">'
const CLOSED = '</script>'

/**
 * The page with a recording in it; one that was there is replaced.
 * @param page its HTML @param recording JSON
 * @throws Error the page has no place for one
 */
export function withRecording(page: string, recording: string): string {
  const from = page.indexOf(OPENED)
  const to = page.indexOf(CLOSED, from)
  if (from < 0 || to < 0) throw new Error('the page has no place for a recording')
  // Nothing in it can end the element: in JSON that character stands in texts alone.
  const inside = recording.trim().replaceAll('<', '\\u003c')
  return `${page.slice(0, from + OPENED.length)}${inside}${page.slice(to)}`
}

/** The recording in such a page, JSON; undefined: it has none. @param page its HTML */
export function recordingIn(page: string): string | undefined {
  const from = page.indexOf(OPENED)
  const to = page.indexOf(CLOSED, from)
  const inside = from < 0 || to < 0 ? '' : page.slice(from + OPENED.length, to).trim()
  return inside === '' ? undefined : inside
}
