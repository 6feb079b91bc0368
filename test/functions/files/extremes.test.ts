import { execFileSync } from 'node:child_process'
import { openSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Tree } from './tree.ts'

/** Bytes of a file that is nearly all hole. */
const HUGE = 10 * 2 ** 30
/** Entries of a directory: more than its page lists. */
const MANY = process.env.HOTPOTATO_LONG === undefined ? 10_010 : 100_000

let tree: Tree
beforeAll(() => {
  // Texts that took minutes of highlight.js, markdown-it, and a pattern of our own.
  tree = new Tree({
    'slow.java': '$'.repeat(131_072),
    'slow.ts': `const data = '${'a'.repeat(120_000)}\n`,
    'slow.md': 'a@b.c '.repeat(170_000),
    'heading.md': `# ${'#'.repeat(500_000)}x\n`,
    'nested.md': `${'> '.repeat(10_000)}deep\n\n${'[a]('.repeat(10_000)}\n`,
    'fast.ts': 'export const answer = 42\n',
    'huge.bin': '',
  })
  const huge = join(tree.root, 'huge.bin')
  truncateSync(huge, HUGE)
  writeSync(openSync(huge, 'r+'), 'potato', HUGE - 6)
})
afterAll(() => tree.remove())

describe('a text on which patterns take for ever', () => {
  it.each(['slow.java', 'slow.ts', 'slow.md', 'heading.md', 'nested.md'])(
    'is shown soon: %s',
    { timeout: 60_000 },
    async name => {
      const begun = performance.now()
      const answer = await tree.get(`/${name}`)
      expect([answer.status, (await answer.text()).length > 10_000]).toEqual([200, true])
      expect(performance.now() - begun).toBeLessThan(45_000)
    },
  )

  it('leaves what shows the others as it was', async () => {
    expect(await tree.text('/fast.ts')).toContain('<span class="hljs-keyword">export</span>')
  })
})

describe('a file of 10 GiB', () => {
  it('is cut anywhere, and told of without being read', async () => {
    const head = await tree.get('/huge.bin', {}, { method: 'HEAD' })
    expect(head.headers.get('content-length')).toBe(String(HUGE))
    for (const [range, told] of [
      ['bytes=-6', `bytes ${HUGE - 6}-${HUGE - 1}/${HUGE}`],
      [`bytes=${HUGE - 6}-`, `bytes ${HUGE - 6}-${HUGE - 1}/${HUGE}`],
    ] as const) {
      const part = await tree.get('/huge.bin', { range })
      expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
        206,
        told,
        'potato',
      ])
    }
    expect((await tree.get('/huge.bin', { range: `bytes=${HUGE}-` })).status).toBe(416)
  })
})

describe('what is no file', () => {
  it('is neither listed nor waited for', async () => {
    const server = createServer().listen(join(tree.root, 'socket'))
    await new Promise(settle => server.once('listening', settle))
    execFileSync('mkfifo', [join(tree.root, 'fifo')])
    writeFileSync(Buffer.concat([Buffer.from(`${tree.root}/`), Buffer.of(0xff, 0xfe)]), 'not UTF-8')
    const page = await tree.text('/')
    for (const name of ['socket', 'fifo', '\ufffd']) {
      expect(page).not.toContain(name)
      expect((await tree.get(`/${encodeURIComponent(name)}`)).status).toBe(404)
    }
    expect((await tree.get('/%ff%fe')).status).toBe(404)
    server.close()
  })
})

describe(`a directory of ${MANY} files`, () => {
  it('lists the first ones by name, and says that there are more', async () => {
    tree.write('many/README.md', '# Explained')
    // From the last one on, so that no order of the file system is that of the names by chance.
    for (let i = MANY - 1; i >= 0; i--) writeFileSync(join(tree.root, 'many', String(i).padStart(6, '0')), '')
    const page = await tree.text('/many/')
    expect(page.includes('There are more files')).toBe(true)
    expect(page.includes('<h1 id="explained">Explained</h1>')).toBe(true)
    const listed = [...page.matchAll(/href="\.\/(\d+)"/g)].map(one => Number(one[1]))
    expect([listed.length, listed[0], listed.at(-1), listed.every((one, at) => one === at)]).toEqual([
      10_000,
      0,
      9999,
      true,
    ])
  })
})
