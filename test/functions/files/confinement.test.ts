import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SECRET, Tree } from './tree.ts'

let tree: Tree
beforeAll(() => {
  tree = new Tree({ 'a.txt': 'here', 'sub/b.txt': 'below', '.hidden': 'h', '.git/config': 'g' })
  writeFileSync(join(tree.root, '.well-known-not'), 'x')
  tree.write('.well-known/security.txt', 'contact')
  symlinkSync('a.txt', join(tree.root, 'link.txt'))
  symlinkSync('../a.txt', join(tree.root, 'sub/up.txt'))
  symlinkSync('sub', join(tree.root, 'linked'))
  symlinkSync('../outside', join(tree.root, 'out'))
  symlinkSync('../outside/secret.txt', join(tree.root, 'out.txt'))
  symlinkSync(join(tree.outside, 'secret.txt'), join(tree.root, 'absolute.txt'))
  symlinkSync(join(tree.root, 'a.txt'), join(tree.root, 'absolute-inside.txt'))
  symlinkSync('loop', join(tree.root, 'loop'))
  symlinkSync('sub/../../outside', join(tree.root, 'crooked'))
  symlinkSync('nowhere', join(tree.root, 'dangling'))
})
afterAll(() => tree.remove())

describe('what leads out of the directory is not there', () => {
  const dots = ['..', '%2e%2e', '.%2e', '%2E.', '%252e%252e', '..%00', '..;', '...', '%c0%ae%c0%ae', '\\..']
  const slashes = ['/', '//', '%2f', '%2F', '%5c', '\\', '%252f', '%c0%af', '/./', '/%2e/']
  const targets = ['outside/secret.txt', 'outside%2fsecret.txt']
  const paths = dots.flatMap(dot =>
    slashes.flatMap(slash => targets.map(target => `/${dot}${slash}${target}`)),
  )
  const more = [
    '/sub/../../outside/secret.txt',
    '/sub/%2e%2e/%2e%2e/outside/secret.txt',
    '/out/secret.txt',
    '/out/',
    '/out.txt',
    '/absolute.txt',
    '/crooked/secret.txt',
    '/linked/../../outside/secret.txt',
    '/loop',
    '/dangling',
    '/a.txt%00.png',
    '/a.txt/',
    '/a.txt/..',
    '/%',
    '/%zz',
    '/%ff',
    '/.hidden',
    '/.git/config',
    '/%2egit/config',
    '/sub//b.txt',
    `/${'a'.repeat(5000)}`,
    `/${'a/'.repeat(3000)}`,
    '/etc/passwd',
    '//etc/passwd',
    '/file:///etc/passwd',
    '/proc/self/environ',
    '/C:%5cwindows%5cwin.ini',
  ]

  it.each([...paths, ...more])('%s', async path => {
    const context = { functionPath: path }
    const { files } = await import('../../../src/functions/files/files.ts')
    // The path as it comes, which `new URL` would have made harmless.
    const answer = await files.fetch(
      new Request('https://files.local/'),
      { FILES_DIRECTORY: tree.root },
      context as never,
    )
    expect(answer.status).toBe(404)
    expect(await answer.text()).not.toContain(SECRET)
  })
})

describe('links', () => {
  it.each([
    ['/link.txt', 'here'],
    ['/sub/up.txt', 'here'],
    ['/linked/b.txt', 'below'],
    ['/.well-known/security.txt', 'contact'],
  ])('%s stays inside, and is shown', async (path, content) => {
    const answer = await tree.get(`${path}?raw`)
    expect([answer.status, await answer.text()]).toEqual([200, content])
  })

  it('an absolute link is not followed, wherever it leads', async () => {
    expect((await tree.get('/absolute-inside.txt')).status).toBe(404)
  })

  it('the list shows what can be opened, and nothing else', async () => {
    const list = await tree.text('/')
    const names = [...list.matchAll(/<td><a href="\.\/([^"]+)">/g)].map(([, name]) => name)
    expect(names).toEqual(['.well-known/', 'linked/', 'sub/', 'a.txt', 'link.txt'])
  })
})

describe('a directory that becomes a link while it is read', () => {
  it('never shows what the link leads to', { timeout: 60_000 }, async () => {
    mkdirSync(join(tree.root, 'race/inner'), { recursive: true })
    tree.write('race/inner/secret.txt', 'the one inside')
    symlinkSync('../../outside', join(tree.root, 'race/link'))
    // Another thread swaps the two as fast as it can.
    const swap = `const { renameSync } = require('node:fs')
      const { workerData, parentPort } = require('node:worker_threads')
      const [a, b, c] = ['inner', 'link', 'third'].map(name => workerData + '/' + name)
      let on = true
      parentPort.on('message', () => { on = false })
      const turn = () => {
        for (let i = 0; i < 200; i++) { renameSync(a, c); renameSync(b, a); renameSync(c, b) }
        for (let i = 0; i < 200; i++) { renameSync(a, c); renameSync(b, a); renameSync(c, b) }
        if (on) setImmediate(turn); else parentPort.close()
      }
      turn()`
    const worker = new Worker(swap, { eval: true, workerData: join(tree.root, 'race') })
    const seen = new Set<string>()
    const statuses = new Map<number, number>()
    const until = Date.now() + 1500
    while (Date.now() < until) {
      const answers = await Promise.all(
        ['inner', 'link'].map(name => tree.get(`/race/${name}/secret.txt?raw`)),
      )
      for (const answer of answers) {
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        if (answer.status === 200) seen.add(await answer.text())
      }
    }
    const ended = new Promise(resolve => worker.once('exit', resolve))
    worker.postMessage('end')
    await ended
    expect([...seen]).toEqual(['the one inside'])
    // Otherwise it has shown nothing: both were met, the directory and the link.
    expect(statuses.get(404)).toBeGreaterThan(0)
  })

  it('leaves no descriptor open', async () => {
    const count = (): number => readdirSync('/proc/self/fd').length
    const all = ['/', '/out/', '/sub/b.txt', '/a.txt?raw', '/loop', '/sub', '/link.txt', '/nothing/at/all']
    for (const path of all) await (await tree.get(path)).text()
    const before = count()
    for (let round = 0; round < 5; round++) for (const path of all) await (await tree.get(path)).text()
    expect(count()).toBe(before)
  })

  it('the root itself may be swapped for another one, as deployments do', async () => {
    const other = new Tree({ 'a.txt': 'old' })
    renameSync(other.root, `${other.root}-1`)
    symlinkSync(`${other.root}-1`, other.root)
    expect(await other.text('/a.txt?raw')).toBe('old')
    mkdirSync(`${other.root}-2`)
    writeFileSync(`${other.root}-2/a.txt`, 'new')
    symlinkSync(`${other.root}-2`, `${other.root}-next`)
    renameSync(`${other.root}-next`, other.root)
    expect(await other.text('/a.txt?raw')).toBe('new')
    other.remove()
  })
})
