import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { H1Client } from '../../src/http/h1/index.ts'
import { probeEvp } from '../../src/tls13/crypto/evp.ts'
import { probe } from '../../src/transfer/native/libc.ts'

const there = probe().available && probeEvp().available
const note = there ? '' : ' (SKIPPED: foreign calls do not work here)'

/** In a process of its own: a wrong address there is no failed test but a crash. */
function inFloor(program: string): string {
  const floor = (name: string): string =>
    fileURLToPath(new URL(`../../dist/bench/floor/${name}.js`, import.meta.url))
  const imports = ['together', 'head', 'answer', 'flow', 'state', 'slab'].map(
    name => `const ${name} = await import(${JSON.stringify(floor(name))})`,
  )
  const words = ['--input-type=module', '--eval', `${imports.join('\n')}\n${program}\nprocess.exit()`]
  return execFileSync(process.execPath, words, { encoding: 'utf8' })
}

describe.skipIf(!there)(`the floor${note}`, () => {
  it('a connection moves with every request, and every answer is right', () => {
    const program = `const one = await together.Together.open()
      await one.move(50)
      await one.move(51)
      console.log('moved')`
    expect(inFloor(program)).toBe('moved\n')
  })

  it('reads the head of a request, and refuses what is none', () => {
    const headers = [
      ['host', 'a'],
      ['x-other', 'content-length: 7'],
    ] as const
    const good = new H1Client().request({ method: 'POST', target: '/b', headers }, new Uint8Array(12))
    const bad = ['', 'GET', 'GET /a HTTP/1.1\r\n', 'G@T /a HTTP/1.1\r\n\r\n', 'GET /a HTTP/1.1\r\nx\r\n\r\n']
    const program = `const texts = ${JSON.stringify([Buffer.from(good).toString('latin1'), ...bad])}
      const read = text => {
        const bytes = Buffer.from(text, 'latin1')
        const { readHead, head: { } } = head
        const is = readHead(bytes, 0, bytes.length)
        const { owner, length, end } = head.head
        return is ? [String.fromCharCode(owner), length, bytes.length - end] : 'none'
      }
      console.log(JSON.stringify(texts.map(read)))`
    expect(JSON.parse(inFloor(program))).toEqual([['b', 12, 12], ...bad.map(() => 'none')])
  })

  it('a head that has not come whole is none', () => {
    const program = `const bytes = Buffer.from('POST /a HTTP/1.1\\r\\ncontent-length: 3\\r\\n\\r\\nabc')
      const whole = Array.from({ length: bytes.length + 1 }, (_, to) =>
        head.readHead(bytes.subarray(0, to), 0, to))
      console.log(whole.indexOf(true), whole.filter(Boolean).length, bytes.length)`
    expect(inFloor(program)).toBe('42 1 42\n')
  })

  it('a state of 241 bytes comes out as it went in, and opens what was sealed before', () => {
    const program = `const { Flow } = flow
      const [seal, open, spare] = [new Flow('seal'), new Flow('open'), new Flow('seal')]
      const secret = new Uint8Array(32).fill(7)
      seal.begin(secret, 0, 0); open.begin(secret, 0, 0); spare.begin(secret, 0, 2 ** 33)
      const memory = slab.slab(512), record = slab.slab(64)
      const one = new state.State()
      one.id.fill(3); one.rest.fill(5); one.generation = 9; one.hops = 65535; one.requests = 11
      one.write(memory.bytes, memory.view, 0, open, spare)
      const other = new state.State(), read = new Flow('open'), write = new Flow('seal')
      other.read(memory.bytes, memory.view, 0, read, write)
      record.bytes.fill(1, 0, 20)
      seal.seal(record.address, 5, record.address + 5, 15)
      const changed = record.bytes[7] !== 1
      const opened = read.open(record.address, 5, record.address + 5, 15)
      console.log(JSON.stringify(one) === JSON.stringify(other),
        write.next === 2 ** 33, changed, opened, record.bytes.subarray(0, 20).every(byte => byte === 1),
        memory.bytes[240], memory.bytes[241])`
    expect(inFloor(program)).toBe('true true true true true 5 0\n')
  })
})
