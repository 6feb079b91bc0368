/**
 * A program that reads what is printed may stop reading, as `head` does: what is measured is kept all the
 * same, and no stack is printed.
 */
export function letReadersGo(): void {
  for (const out of [process.stdout, process.stderr])
    out.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
}
