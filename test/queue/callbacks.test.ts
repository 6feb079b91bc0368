import { describe, expect, it } from 'vitest'
import { CallbackRule, flaw } from '../../src/queue/callbacks.ts'

const rule = new CallbackRule([
  'hooks.example.com',
  '*.team.example',
  '127.0.0.1:8000',
  '[::1]',
  'Any.Port:81',
])

describe('a callback URL', () => {
  it.each([
    'https://hooks.example.com/a?b',
    'http://HOOKS.example.com:9999/',
    'https://a.team.example/',
    'https://a.b.team.example:1/',
    'http://127.0.0.1:8000/x',
    'http://[::1]:5/',
    'http://any.port:81',
  ])('may be %s', url => expect([flaw(url), rule.objection(url)]).toEqual([undefined, undefined]))

  it.each([
    ['http://127.0.0.1/', /does not name 127\.0\.0\.1$/],
    ['http://127.0.0.1:8001/', /does not name/],
    ['http://2130706433:8001/', /does not name 127\.0\.0\.1:8001/],
    ['http://0x7f.1/', /does not name 127\.0\.0\.1/],
    ['http://hooks.example.com.evil.example/', /does not name/],
    ['http://evil.example/?hooks.example.com', /does not name/],
    ['http://team.example/', /does not name/],
    ['http://any.port/', /does not name/],
  ])('does not lead where the stack file has not said: %s', (url, objection) => {
    expect([flaw(url), rule.objection(url)]).toEqual([undefined, expect.stringMatching(objection)])
  })

  it.each([
    ['http://hooks.example.com@evil.example/', /credentials/],
    ['http://user:word@hooks.example.com/', /credentials/],
    ['file:///etc/passwd', /neither http nor https/],
    ['gopher://hooks.example.com/', /neither http nor https/],
    ['javascript:alert(1)', /neither http nor https/],
    ['https://hooks.example.com/a#b', /fragment/],
    ['https://hooks.example.com/#', /fragment/],
    ['', /no URL/],
    ['/relative', /no URL/],
    ['not a url', /no URL/],
    ['hooks.example.com', /no URL/],
    // What a parser would mend.
    ['http:hooks.example.com', /no URL/],
    ['http:///hooks.example.com', /no URL/],
    ['http:\\\\hooks.example.com', /no URL/],
    ['https://hooks.example.com/a b', /no URL/],
    ['https://hooks.exämple.com/', /no URL/],
    ['https://hooks.example.com:99999/', /no URL/],
    [`https://hooks.example.com/${'a'.repeat(5000)}`, /4096/],
  ])('is not %s', (url, wrong) => expect(flaw(url)).toMatch(wrong))

  it('is none at all where the stack file names no host', () => {
    expect(new CallbackRule([]).objection('https://hooks.example.com/')).toMatch(/does not name/)
  })
})

describe('what a callback reaches', () => {
  const any = new CallbackRule(['*', 'inside.example'])
  const url = 'https://somewhere.example/'

  it('is the public internet where any host may be named', () => {
    expect(any.objection(url)).toBeUndefined()
    for (const address of ['8.8.8.8', '1.1.1.1', '2606:4700::1111'])
      expect(any.mayReach(url, address)).toBe(true)
  })

  it.each([
    '127.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    'fe80::1',
    'fd00::1',
    'ff02::1',
    '2002:7f00:1::',
    '64:ff9b::7f00:1',
    'no address',
  ])('is not %s', address => {
    expect(any.mayReach(url, address)).toBe(false)
    // A host that is written down leads where its owner has it lead.
    expect(any.mayReach('https://inside.example/', address)).toBe(true)
  })
})
