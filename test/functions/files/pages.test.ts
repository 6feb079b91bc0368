import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Tree } from './tree.ts'

const MARKDOWN = `# Título & more

A [link](other.md), a [bad one](javascript:alert(1)), <script>alert(1)</script> and \`code\`.

<img src=x onerror=alert(1)>

\`\`\`js
const answer = '42' // <b>
\`\`\`

| a | b |
| --- | --- |
| 1 | 2 |
`

let tree: Tree
beforeAll(() => {
  tree = new Tree({
    'README.md': MARKDOWN,
    'plain.txt': 'Grüße <script>alert(1)</script>\n',
    'code.ts': 'export const answer: number = 42 // "</pre>"\n',
    'page.html': '<script>alert(1)</script>',
    'binary.dat': Uint8Array.of(1, 0, 2),
    'latin.txt': Uint8Array.of(0x47, 0x72, 0xfc, 0xdf),
    'drawing.svg': '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    'style.css': 'a { color: red }',
    'sub/with space & "quotes" <b>.txt': 'x',
    'sub/deep/notes.md': 'no heading',
    'web/index.html': '<h1>a page of its own</h1>',
  })
})
afterAll(() => tree.remove())

const BROWSER = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8', 'sec-fetch-dest': 'document' }

describe('a page', () => {
  it('of a directory has the text that explains it, which is made once', async () => {
    tree.write('sub/deep/once/README.md', '# One\n')
    expect(await tree.text('/sub/deep/once/', BROWSER)).toContain('>One</h1>')
    // Nothing that a file system says of it is another.
    tree.write('sub/deep/once/README.md', '# Two\n')
    expect(await tree.text('/sub/deep/once/', BROWSER)).toContain('>One</h1>')
    tree.write('sub/deep/once/README.md', '# Three\n')
    expect(await tree.text('/sub/deep/once/', BROWSER)).toContain('>Three</h1>')
  })

  it('shows Markdown, and what is markup in it as text', async () => {
    const html = await tree.text('/README.md', BROWSER)
    expect(html).toContain('<title>Título &#38; more</title>')
    expect(html).toContain('<h1 id="título--more">Título &amp; more</h1>')
    expect(html).toContain('<a href="other.md">link</a>')
    expect(html).toContain('&lt;script&gt;')
    expect(html).toContain('<span class="hljs-keyword">const</span>')
    expect(html).toContain('<td>1</td>')
    expect(html).not.toMatch(/<script|<img|href="javascript/i)
  })

  it('shows text, escaped', async () => {
    const answer = await tree.get('/plain.txt', BROWSER)
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const html = await answer.text()
    expect(html).toContain('Grüße &#60;script&#62;')
    expect(html).not.toContain('<script')
  })

  it('colours code', async () => {
    const html = await tree.text('/code.ts', BROWSER)
    expect(html).toContain('<span class="hljs-keyword">export</span>')
    expect(html).not.toContain('"</pre>"')
  })

  it('shows what is not UTF-8 as something to load, and never as nothing', async () => {
    const answer = await tree.get('/latin.txt', BROWSER)
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect((await answer.arrayBuffer()).byteLength).toBe(4)
    const binary = await tree.get('/binary.dat')
    expect(binary.headers.get('content-type')).toBe('application/octet-stream')
    await binary.body?.cancel()
  })

  it('may run nothing, wherever it comes from', async () => {
    for (const path of ['/', '/plain.txt', '/plain.txt?raw', '/page.html', '/drawing.svg', '/binary.dat']) {
      const { headers, body } = await tree.get(path, BROWSER)
      await body?.cancel()
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'.*sandbox/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  it('is light or dark as its reader likes', async () => {
    const html = await tree.text('/plain.txt')
    expect(html).toContain('content="light dark"')
    expect(html).toContain('prefers-color-scheme: dark')
  })

  it('gives the bytes to who asks for them, or for a picture or a style', async () => {
    expect(await tree.text('/plain.txt?raw', BROWSER)).toBe('Grüße <script>alert(1)</script>\n')
    expect((await tree.get('/plain.txt?raw')).headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const style = await tree.get('/style.css', { accept: 'text/css,*/*;q=0.1', 'sec-fetch-dest': 'style' })
    expect([style.headers.get('content-type'), await style.text()]).toEqual([
      'text/css; charset=utf-8',
      'a { color: red }',
    ])
    expect(await tree.text('/plain.txt', { accept: 'text/plain' })).toBe('Grüße <script>alert(1)</script>\n')
    expect(await tree.text('/plain.txt', { accept: 'text/html;q=0, text/plain' })).toMatch(/^Grüße/)
    expect(await tree.text('/plain.txt', { accept: 'text/html ; q=0, text/plain' })).toMatch(/^Grüße/)
    const drawing = await tree.get('/drawing.svg')
    expect([drawing.headers.get('content-type'), await drawing.text()]).toEqual([
      'image/svg+xml',
      expect.stringMatching(/^<svg/),
    ])
  })

  it('of HTML is its text, unless the configuration says otherwise', async () => {
    expect(await tree.text('/page.html', BROWSER)).not.toContain('<script>')
    const raw = await tree.get('/page.html?raw', BROWSER)
    expect(raw.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const as = await tree.get('/page.html', BROWSER, { html: true })
    expect([as.headers.get('content-type'), as.headers.get('content-security-policy')]).toEqual([
      'text/html; charset=utf-8',
      null,
    ])
    expect(await as.text()).toBe('<script>alert(1)</script>')
    expect(await tree.text('/web/', BROWSER, { html: true })).toBe('<h1>a page of its own</h1>')
    expect(await tree.text('/web/', BROWSER)).toContain('<a href="./index.html">')
  })
})

describe('the page of a directory', () => {
  it('lists what is in it, with what explains it below', async () => {
    const html = await tree.text('/', BROWSER)
    const names = [...html.matchAll(/<td><a href="([^"]+)">/g)].map(([, name]) => name)
    expect(names.slice(0, 4)).toEqual(['./sub/', './web/', './README.md', './binary.dat'])
    expect(html).toContain('<article>\n<h1 id="título--more">')
    expect(html).toContain('<time datetime="2020-02-02T02:02:02.000Z">2020-02-02 02:02</time>')
  })

  it('escapes names, in links and in text', async () => {
    const html = await tree.text('/sub/')
    const href = 'with%20space%20%26%20%22quotes%22%20%3Cb%3E.txt'
    const shown = 'with space &#38; &#34;quotes&#34; &#60;b&#62;.txt'
    expect(html).toContain(`<a href="./${href}">${shown}</a>`)
    expect(await tree.text(`/sub/${href}?raw`)).toBe('x')
  })

  it.each([
    ['', '/sub', './sub/'],
    ['/files', '/sub/deep?a=b', './deep/?a=b'],
    ['/files', '', './files/'],
    ['', '//evil.example/..', undefined],
  ])('mounted at %s, %s is sent to %s', async (mount, path, location) => {
    const answer = await tree.get(path, {}, { mount })
    if (location === undefined) expect(answer.status).toBe(404)
    else expect([answer.status, answer.headers.get('location')]).toEqual([308, location])
  })

  it('leads back up, wherever it is mounted', async () => {
    const html = await tree.text('/sub/deep/notes.md')
    const links = [...html.matchAll(/<a href="([^"]+)">([^<]*)<\/a>/g)].map(([, href, text]) => [text, href])
    expect(links.slice(0, 3)).toEqual([
      ['/', '../../'],
      ['sub', '../'],
      ['deep', './'],
    ])
  })
})
