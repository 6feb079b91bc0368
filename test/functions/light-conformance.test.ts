import { describe, expect, it } from 'vitest'
import { toWebRequest } from '../../src/functions/web.ts'
import { utf8 } from '../../src/wire/index.ts'
import { NODES, OURS, outcome, same, type Web } from '../support/web-classes.ts'

/** What the public tests of fetch ask about, kind by kind: each case is done to our objects and to Node's. */

const CLASSES = ['Request', 'Response', 'Headers'] as const

type Content = string | undefined

/** A request as a function gets it, and Node's. */
async function sameRequest(content: Content, run: (request: Request) => unknown): Promise<void> {
  const method = content === undefined ? 'GET' : 'POST'
  const headers = [
    ['Host', 'app.local'],
    ['Content-Type', 'text/X; charset=utf-8'],
  ] as const
  const body = content === undefined ? {} : { body: content }
  const nodes = new NODES.Request('http://app.local/a?b', { method, headers: headers as never, ...body })
  const bytes = content === undefined ? undefined : utf8(content)
  const head = {
    method,
    target: '/a?b',
    version: '1.1',
    headers,
    host: 'app.local',
    path: '/a',
    query: 'b',
  } as const
  const ours = toWebRequest(head, bytes, { scheme: 'http', authority: 'app.local' })
  expect(await outcome(() => run(ours))).toEqual(await outcome(() => run(nodes)))
}

/** One object of each class. */
function objectsOf(web: Web): Record<(typeof CLASSES)[number], object> {
  const request = new web.Request('http://a/', { method: 'POST', body: 'x' })
  return { Request: request, Response: new web.Response('x'), Headers: new web.Headers({ a: 'b' }) }
}

describe('the surface', () => {
  it.each(CLASSES)('of %s is that of Node’s', async name => {
    await same(web => {
      const all = []
      for (let one = objectsOf(web)[name]; one !== Object.prototype; one = Object.getPrototypeOf(one)) {
        for (const key of Reflect.ownKeys(one)) if (typeof key === 'string') all.push(key)
      }
      return [...new Set(all)].sort()
    })
    await same(web => {
      const keys = []
      for (const key in objectsOf(web)[name]) keys.push(key)
      return keys.sort()
    })
    await same(web => Object.keys(objectsOf(web)[name]))
    await same(web => JSON.stringify(objectsOf(web)[name]))
    await same(web => Object.prototype.toString.call(objectsOf(web)[name]))
  })

  it.each(CLASSES)('of %s has functions of the same names and lengths', async name => {
    await same(web => {
      const object = objectsOf(web)[name] as Record<string, unknown>
      const functions = []
      for (const key in object) {
        const value = object[key]
        if (typeof value === 'function') functions.push([key, value.name, value.length])
      }
      return functions.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
    })
  })

  it.each(CLASSES)('of %s cannot be written to', async name => {
    await same(web => {
      const object = objectsOf(web)[name] as Record<string, unknown>
      const told = []
      for (const key in object) {
        if (typeof object[key] === 'function') continue
        try {
          object[key] = 'other'
          told.push([key, 'taken', object[key] === 'other'])
        } catch (error) {
          told.push([key, (error as Error).name])
        }
      }
      return told.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
    })
  })

  it.each(CLASSES)('of %s is for such objects alone', async name => {
    await same(async web => {
      const told: unknown[] = []
      const { prototype } = web[name]
      const names = [...new Set([...Reflect.ownKeys(prototype)])].filter(key => key !== 'constructor')
      for (const key of names) {
        const { get, value } = Object.getOwnPropertyDescriptor(prototype, key)!
        const method = get ?? value
        if (typeof method !== 'function') continue
        for (const other of [undefined, {}, Object.create(prototype)])
          told.push([String(key), await outcome(() => Reflect.apply(method, other, ['a', 'b']))])
      }
      return told.map(one => JSON.stringify(one)).sort()
    })
  })

  it('is made by new alone', async () => {
    for (const name of CLASSES)
      await same(web => (web[name] as unknown as (url: string) => unknown)('http://a/'))
  })
})

describe('fields', () => {
  it('come in the order of their names, with Set-Cookie apart', async () => {
    await same(web => {
      const headers = new web.Headers([
        ['Set-Cookie', 'z=1'],
        ['B', '1'],
        ['set-cookie', 'a=2'],
        ['a', '1'],
        ['b', '2'],
        ['SET-COOKIE', 'z=1'],
      ])
      const all = [[...headers], headers.get('set-cookie'), headers.getSetCookie(), headers.has('Set-Cookie')]
      headers.append('set-cookie', 'c=3')
      all.push([...headers.keys()], [...headers.values()])
      headers.set('Set-Cookie', 'only')
      all.push(headers.getSetCookie(), [...headers])
      headers.delete('SET-cookie')
      return [...all, headers.getSetCookie(), headers.get('set-cookie'), [...headers]]
    })
  })

  it('are taken from what can be gone through, and from records', async () => {
    const makers: (() => unknown)[] = [
      () => new URLSearchParams('a=b&a=c'),
      () => new FormData(),
      () =>
        (function* () {
          yield ['a', 'b']
        })(),
      () => [new Set(['a', 'b'])],
      () => [['a']],
      () => ['ab'],
      () => [[]],
      () => [['a', undefined]],
      () => ({ a: undefined }),
      () => ({ a: null }),
      () => ({ a: ['b', 'c'] }),
      () => ({ a: { toString: () => 'b' } }),
      () => ({ [Symbol.iterator]: null, a: 'b' }),
      () => ({ [Symbol.iterator]: 7, a: 'b' }),
      () => Object.create({ inherited: 'x' }, { own: { value: 'y', enumerable: true } }),
      () =>
        new (class {
          a = 'b'
        })(),
      () => new Proxy({ b: '1', a: '2' }, {}),
      () => Object.assign(() => {}, { a: 'b' }),
      () => true,
      () => 1,
      () => '',
      () => Symbol('a'),
    ]
    for (const make of makers) {
      await same(web => [...new web.Headers(make() as never)])
      await same(web => [...new web.Response('x', { headers: make() as never }).headers])
    }
  })

  it('ask a record once for each of its own keys', async () => {
    await same(web => {
      const asked: string[] = []
      const record = new Proxy(
        { b: '1', a: '2' },
        {
          get: (target, key) => {
            asked.push(`get ${String(key)}`)
            return Reflect.get(target, key)
          },
          ownKeys: target => {
            asked.push('keys')
            return Reflect.ownKeys(target)
          },
        },
      )
      return [[...new web.Headers(record as never)], asked.filter(one => /get [ab]$/.test(one))]
    })
  })

  it('have values without the spaces around them, and none that ends a line', async () => {
    for (const value of [
      '',
      ' ',
      '\t',
      ' a',
      'a ',
      '\ta\t',
      'a b',
      'a\r',
      '\n',
      '\na',
      'a\nb',
      '\0',
      'a\x7f',
      '\x01',
    ]) {
      await same(web => new web.Headers({ x: value }).get('x'))
      await same(web => {
        const headers = new web.Headers({ x: '1' })
        headers.append('x', value)
        headers.set('y', value)
        return [...headers]
      })
    }
  })

  it('of a Response that is redirected cannot be changed, and those of a clone neither', async () => {
    await same(web => web.Response.redirect('http://a/', 302).clone().headers.append('a', 'b'))
    await same(web => [...web.Response.redirect('http://a/', 302).clone().headers])
    await same(web => new web.Response(null, web.Response.redirect('http://a/', 302)).headers.get('location'))
  })

  it('are one object for each message', async () => {
    const twice = (message: Request | Response) => new Set([message.headers, message.headers]).size
    await same(web => {
      const { Request, Response } = objectsOf(web) as { Request: Request; Response: Response }
      return [twice(Request), twice(Response)]
    })
    await sameRequest('x', twice)
  })
})

/** A stream of such pieces. */
function streamOf(...pieces: unknown[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull: controller => {
      if (pieces.length > 0) controller.enqueue(pieces.shift() as Uint8Array)
      else controller.close()
    },
  })
}

const READS = ['text', 'json', 'arrayBuffer', 'blob', 'formData'] as const

describe('a body', () => {
  it.each(READS)('is not read by %s while a reader has it, nor after it has been read in part', async how => {
    for (const content of ['{}', undefined]) {
      const steps = async (message: Request | Response) => {
        const reader = message.body?.getReader()
        const locked = await outcome(() => message[how]())
        const before = message.bodyUsed
        const first = await reader?.read()
        reader?.releaseLock()
        return [
          JSON.stringify(locked),
          before,
          first?.done,
          message.bodyUsed,
          JSON.stringify(await outcome(() => message[how]())),
        ]
      }
      await same(web => steps(new web.Response(content)))
      await sameRequest(content, steps)
    }
  })

  it('is not cloned after it has been read or while a reader has it', async () => {
    const locked = (message: Request | Response) => {
      message.body?.getReader()
      return message.clone().bodyUsed
    }
    const used = async (message: Request | Response) => {
      await message.text()
      return message.clone().bodyUsed
    }
    for (const steps of [locked, used]) {
      await same(web => steps(new web.Response('x')))
      await sameRequest('x', steps)
      await sameRequest(undefined, steps)
    }
  })

  it('goes to both a message and its clone, and to clones of clones', async () => {
    const steps = async (message: Request | Response) => {
      const clones = [message.clone(), message.clone()]
      clones.push(clones[0]!.clone())
      const pieces: string[] = []
      for await (const piece of clones[1]!.body ?? []) pieces.push(Buffer.from(piece).toString())
      return [await message.text(), await clones[0]!.text(), pieces, await clones[2]!.json()]
    }
    await same(web => steps(new web.Response('{"a":1}')))
    await same(web => steps(new web.Response(streamOf(utf8('{"a"'), utf8(':1}')))))
    await sameRequest('{"a":1}', steps)
  })

  it('is cancelled with its stream', async () => {
    await same(async web => {
      const reasons: unknown[] = []
      const response = new web.Response(new ReadableStream({ cancel: reason => void reasons.push(reason) }))
      await response.body!.cancel('enough')
      return [reasons, response.bodyUsed, await outcome(() => response.text())]
    })
    const steps = async (message: Request | Response) => {
      await message.body!.cancel()
      return [message.bodyUsed, await outcome(() => message.text())]
    }
    await same(web => steps(new web.Response('x')))
    await sameRequest('x', steps)
  })

  it('of a stream fails with it, and with what is no bytes', async () => {
    for (const piece of ['text', 7, {}, undefined, null, new Uint16Array(2), new ArrayBuffer(2)]) {
      for (const how of ['text', 'arrayBuffer', 'blob'] as const)
        await same(async web => {
          const got = await outcome(() => new web.Response(streamOf(utf8('a'), piece))[how]())
          return JSON.stringify(got)
        })
    }
    await same(async web => {
      const broken = new ReadableStream({ start: controller => controller.error(new RangeError('broken')) })
      return new web.Response(broken).text()
    })
  })

  it('read as nothing is nothing, or an error where nothing has no meaning', async () => {
    for (const how of READS) {
      const steps = async (message: Request | Response) => {
        const got = (await message[how]()) as object
        return [how === 'blob' ? [(got as Blob).size, (got as Blob).type] : got, message.bodyUsed]
      }
      await same(web => steps(new web.Response()))
      await same(web => steps(new web.Response('')))
      await sameRequest(undefined, steps)
    }
  })

  it('gives a Blob of the type that the fields say by then', async () => {
    const types = [
      'text/PLAIN',
      'a/b; c=d',
      'text/plain;charset=UTF-8',
      'nothing',
      '',
      'image/png, text/html',
    ]
    for (const type of types) {
      await same(async web => {
        const response = new web.Response('x', { headers: { 'content-type': type } })
        return [(await response.blob()).type, response.headers.get('content-type')]
      })
      await same(async web => {
        const response = new web.Response('x')
        response.headers.set('content-type', type)
        return (await response.blob()).type
      })
    }
    await same(async web => {
      const response = new web.Response('x')
      response.headers.delete('content-type')
      return (await response.blob()).type
    })
    await sameRequest('x', async request => (await request.blob()).type)
  })

  it('gives forms of both kinds', async () => {
    const parts = [
      '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
      '--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n',
      'Content-Type: text/x\r\n\r\nfile\r\n--b--\r\n',
    ]
    const cases = [
      ['multipart/form-data; boundary=b', parts.join('')],
      ['multipart/form-data', parts.join('')],
      ['multipart/form-data; boundary=b', 'rubbish'],
      ['application/x-www-form-urlencoded', 'a=1&b=%C3%BC&a=2+3'],
      ['application/x-www-form-urlencoded;charset=UTF-8', ''],
      ['text/plain', 'a=1'],
    ] as const
    for (const [type, text] of cases)
      await same(async web => {
        const form = await new web.Response(text, { headers: { 'content-type': type } }).formData()
        const entries = []
        for (const [name, value] of form as unknown as Iterable<[string, string | File]>)
          entries.push([
            name,
            typeof value === 'string' ? value : [value.name, value.type, await value.text()],
          ])
        return entries
      })
  })

  it('gives memory that is the reader’s own', async () => {
    await same(async web => {
      const response = new web.Response('abc')
      const clone = response.clone()
      new Uint8Array(await response.arrayBuffer())[0] = 0x7a
      return clone.text()
    })
    await same(async web => (await new web.Response(utf8('abc').subarray(1)).arrayBuffer()).byteLength)
    await sameRequest('abc', async request => {
      const clone = request.clone()
      new Uint8Array(await request.arrayBuffer())[0] = 0x7a
      return clone.text()
    })
  })
})

describe('a request', () => {
  it('says by its signal that its client is gone, once, with the reason', async () => {
    const controller = new AbortController()
    const head = {
      method: 'GET',
      target: '/',
      version: '1.1',
      headers: [],
      host: 'a',
      path: '/',
      query: '',
    } as const
    const caller = { signal: controller.signal }
    const request = toWebRequest(head, undefined, { scheme: 'http', authority: 'a', caller })
    const heard: unknown[] = []
    request.signal.addEventListener('abort', ({ type }) => heard.push(type))
    request.clone().signal.onabort = () => heard.push('clone')
    new Request(request).signal.onabort = () => heard.push('copy')
    new Request('http://b/', { signal: request.signal }).signal.onabort = () => heard.push('follower')
    const any = AbortSignal.any?.([request.signal]) ?? request.signal
    const reason = new Error('gone')
    controller.abort(reason)
    controller.abort(new Error('again'))
    expect(heard.sort()).toEqual(['abort', 'clone', 'copy', 'follower'])
    expect([request.signal.aborted, request.signal.reason, any.reason]).toEqual([true, reason, reason])
    expect(request.signal instanceof AbortSignal).toBe(true)
    expect(request.signal).toBe(request.signal)
  })

  it('becomes another with parts of its own', async () => {
    for (const init of [
      {},
      { method: 'PUT' },
      { headers: { a: 'b' } },
      { body: 'other' },
      { method: 'GET' },
    ]) {
      await sameRequest('x', async request => {
        const web = request.constructor === OURS.Request ? OURS : NODES
        const next = new web.Request(request, init as RequestInit)
        return [next.method, next.url, [...next.headers], await next.text(), request.bodyUsed]
      })
    }
    await sameRequest('x', async request => {
      const next = new OURS.Request('http://other/', request)
      return [next.method, next.url, [...next.headers], await next.text(), request.bodyUsed]
    })
  })

  it('has its body taken by the other, and cannot give it twice', async () => {
    await sameRequest('x', async request => {
      const next = new OURS.Request(request)
      return [
        request.bodyUsed,
        await outcome(() => request.text()),
        await next.text(),
        await outcome(() => new OURS.Request(request)),
      ].map(one => JSON.stringify(one))
    })
    await sameRequest(undefined, async request => {
      const next = new OURS.Request(request)
      return [request.bodyUsed, await request.text(), await next.text(), new OURS.Request(request).method]
    })
  })
})
