/**
 * The lines of a text that comes in pieces, without their ends.
 * @param most bytes of one @throws RangeError for a longer one
 */
export async function* lines(body: ReadableStream<Uint8Array>, most: number): AsyncGenerator<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const piece of body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(piece, { stream: true })
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end)
      text = text.slice(end + 1)
    }
    if (text.length > most) throw new RangeError(`a line has more than ${most} bytes`)
  }
  if (text !== '') yield text
}
