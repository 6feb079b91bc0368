import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

const built = (file: string): string => new URL(`../../dist/src/transfer/${file}`, import.meta.url).href

/** Writes at either end of a pair, in a process of its own, and gives what came out at the other. */
function said(open: 'openPair' | 'openTcpPair', ...words: readonly string[]): string {
  const script = `
    const { ${open} } = await import(${JSON.stringify(built('pair.js'))})
    const { openStream } = await import(${JSON.stringify(built('stream.js'))})
    const [one, other] = (await ${open}()).map(descriptor => openStream(descriptor))
    const heard = stream => new Promise(resolve =>
      stream.read({ bytes: view => resolve(Buffer.from(view).toString()), end() {}, error() {} }))
    const both = [heard(one), heard(other)]
    one.write([Buffer.from('from one')])
    other.write([Buffer.from('from the other')])
    console.log((await Promise.all(both)).join(', '))
    one.destroy()
    other.destroy()`
  const options = { encoding: 'utf8', timeout: 20_000 } as const
  return execFileSync(process.execPath, [...words, '--input-type=module', '-e', script], options).trim()
}

it.each([
  ['openPair', 'as it is'],
  ['openPair', '--no-addons'],
  ['openTcpPair', 'as it is'],
  ['openTcpPair', '--no-addons'],
] as const)('%s, %s: what one end writes comes out at the other', (open, option) => {
  expect(said(open, ...(option.startsWith('--') ? [option] : []))).toBe('from the other, from one')
})
