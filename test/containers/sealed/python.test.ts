import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { SealedModule } from '../../../src/functions/sealed/sealed-function.ts'
import { missing } from '../../support/programs.ts'
import { ask, bundleOf, functionOf } from '../../support/sealed.ts'

/** Where the interpreter is, and which version of landlock(7) the kernel has. */
const LOOK = 'import ctypes, sys; print(sys.executable, ctypes.CDLL(None).syscall(444, None, 0, 1))'
const looked = spawnSync('python3', ['-c', LOOK], { encoding: 'utf8' })
const [PROGRAM = '', LANDLOCK = '0'] = looked.stdout?.trim().split(' ') ?? []
/** What the kernel refuses, and since which version of landlock; 0: without that. */
const REFUSED = [
  ['write', 0],
  ['fork', 0],
  ['start', 0],
  ['become', 0],
  ['read', 1],
  ['keys', 1],
  ['own', 1],
  ['parent', 1],
  ['list', 1],
  ['signal', 0],
  ['queue', 0],
  ['owner', 0],
  ['group', 0],
  ['process', 0],
  ['limit', 0],
  ['slow', 0],
  ['slowAll', 0],
  ['pin', 0],
  ['outlive', 0],
  ['show', 0],
  ['connect', 0],
  ['abstract', 0],
  ['datagram', 0],
] as const

/** A server with a path, as that of the platform's control socket, and one with a port. */
const folder = mkdtempSync(join(tmpdir(), 'hotpotato-python-'))
const PATH = join(folder, 'control.sock')
const servers = [createServer().listen(PATH), createServer().listen(0, '127.0.0.1')]
await Promise.all(servers.map(one => once(one, 'listening')))
const PORT = (servers[1]!.address() as AddressInfo).port

/** What a function tries that is not for it, each by a word. */
const HANDLER = `
import asyncio, ctypes, fcntl, os, resource, signal, socket, sys, json
from hotpotato import store
from .words import shout
from lib.deep import answer
TRIES = {
    "write": lambda: open("/tmp/hotpotato-sealed-clear", "w").write("clear"),
    "read": lambda: open("/etc/passwd").read(),
    "keys": lambda: os.listdir("/etc/ssl/private"),
    "own": lambda: open(f"/proc/{os.getpid()}/mem", "rb").read(1),
    "parent": lambda: open(f"/proc/{os.getppid()}/mem", "rb").read(1),
    "list": lambda: os.listdir("/"),
    "fork": os.fork,
    "start": lambda: __import__("subprocess").run(["/bin/true"]),
    "become": lambda: os.execv("/bin/true", ["true"]),
    "signal": lambda: os.kill(os.getppid(), 9),
    "queue": lambda: call(NUMBERS["queue"], os.getppid(), 9, ctypes.create_string_buffer(128)),
    "owner": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
    "group": lambda: os.killpg(os.getpgid(os.getppid()), 0),
    "process": lambda: os.pidfd_open(os.getppid()),
    "limit": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE),
    "slow": lambda: os.setpriority(0, os.getppid(), os.getpriority(0, os.getppid())),
    "slowAll": lambda: os.setpriority(os.PRIO_USER, 0, os.getpriority(os.PRIO_USER, 0)),
    "pin": lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid())),
    "outlive": lambda: call(NUMBERS["prctl"], 1, 0, 0, 0, 0),
    "show": lambda: call(NUMBERS["prctl"], 4, 1, 0, 0, 0),
    "connect": lambda: socket.socket(socket.AF_UNIX).connect("SOCKET"),
    "abstract": lambda: socket.socket(socket.AF_UNIX).connect("\\0hotpotato"),
    "datagram": lambda: socket.socketpair(type=socket.SOCK_DGRAM)[0].connect("/dev/log"),
}
NUMBERS = {"queue": 129, "prctl": 157} if os.uname().machine == "x86_64" else {"queue": 138, "prctl": 167}

def call(*words):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(*words) < 0:
        raise OSError(ctypes.get_errno(), "")

def outcome(attempt):
    try:
        attempt()
        return "done"
    except OSError as error:
        return "refused" if error.errno in (1, 13, 27) else str(error)

def connects():
    async def nothing():
        return socket.getaddrinfo("127.0.0.1", 1)[0][0] == socket.AF_INET
    try:
        socket.create_connection(("127.0.0.1", PORT)).close()
        os.kill(os.getpid(), 0)
        signal.raise_signal(signal.SIGCHLD)
        resource.getrlimit(resource.RLIMIT_CORE)
        return asyncio.run(nothing())
    except OSError as error:
        return error

def handle(req):
    if req == "try":
        return json.dumps({word: outcome(one) for word, one in TRIES.items()})
    if req == "connects":
        return connects()
    if req == "thread":
        import threading
        told = []
        one = threading.Thread(target=lambda: told.append("worked"))
        one.start()
        one.join()
        return told[0]
    if req == "throw":
        secret = "the whole recipe"
        raise ValueError(len(secret))
    if req == "variables":
        return json.dumps(dict(os.environ))
    if req == "count":
        before = store.get("visits")
        store.set("visits", str(int(before or b"0") + 1))
        store.set("nothing", b"")
        return f"{before} {store.get('nothing')} {store.get('visits')}"
    if req == "forget":
        store.delete("visits")
        try:
            store.set("large", bytes(2 ** 20 + 1))
        except OSError as error:
            return error
    print("first")
    return shout(req) + answer
`
const FILES = {
  'handler.py': HANDLER.replace('SOCKET', PATH).replace('PORT', String(PORT)),
  'words.py': 'def shout(text):\n    return text.upper()\n',
  'python/lib/__init__.py': '',
  'python/lib/deep.py': "import pkgutil\nanswer = pkgutil.get_data('lib', 'a.txt').decode()\n",
  'python/lib/a.txt': ' from memory',
}
const HTTP = `
def handle(event, context):
    said = [event.method, event.path, event.query["a"], event.headers.get("x-b"), event.body.decode()]
    return {"statusCode": 201, "body": said, "headers": {"X-Host": "yes"}}
`

describe.skipIf(PROGRAM === '')(
  `a sealed function in Python${missing(PROGRAM !== '', 'python3', 'python3')}`,
  () => {
    const log: string[] = []
    const python = { program: PROGRAM, http: false }
    const onLog = (message: string): void => void log.push(message)
    const module = functionOf(bundleOf(FILES), { lang: 'python3', python, onLog, cacheMilliseconds: 60_000 })
    const others: SealedModule[] = []
    afterAll(() => {
      for (const one of [module, ...others]) one.stop()
      for (const one of servers) one.close()
      rmSync(folder, { recursive: true })
    })
    const say = async (body: string) => (await ask(module, undefined, { body })).text()

    it('is run out of memory, with the modules and data of its bundle', async () => {
      const answer = await ask(module, undefined, { body: 'grüße', headers: [['content-type', 'text/x']] })
      expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
        200,
        'text/x',
        'first\nGRÜSSE from memory\n',
      ])
      expect(log).toEqual([])
    })

    it('has the variables of the classic watchdog and of its own, and no others', async () => {
      const { Http_Host, ...variables } = JSON.parse(await say('variables'))
      expect(variables).toEqual({
        GREETING: 'hello',
        HOTPOTATO_CALL_ID: 'one',
        HOTPOTATO_FUNCTION: 'vault',
        Http_ContentLength: '9',
        Http_Content_Length: '9',
        Http_Method: 'POST',
        Http_Path: '/',
        Http_X_Call_Id: 'one',
      })
    })

    let tried: Promise<Record<string, string>> | undefined
    for (const [word, version] of REFUSED) {
      const older = Number(LANDLOCK) < version
      const without = older ? ` (skipped: the kernel has landlock ${LANDLOCK}, not ${version})` : ''
      it.skipIf(older)(`may not ${word}${without}`, async () => {
        tried ??= say('try').then(text => JSON.parse(text))
        expect((await tried)[word]).toBe('refused')
      })
    }

    it('may connect to servers, signal itself and wait for many things at once', async () =>
      expect(await say('connects')).toBe('True\n'))

    it('may have threads', async () => expect(await say('thread')).toBe('worked\n'))

    it('keeps what it leaves behind from one interpreter to the next', async () => {
      const told: string[] = []
      for (const word of ['count', 'count', 'forget', 'count']) told.push((await say(word)).trim())
      expect(told).toEqual([
        "None b'' b'1'",
        "b'1' b'' b'2'",
        'a value has at most 1048576 bytes, not 1048577',
        "None b'' b'1'",
      ])
    })

    it('that fails is 500, and the log has no line of it', async () => {
      log.length = 0
      const answer = await ask(module, undefined, { body: 'throw' })
      expect(answer.status).toBe(500)
      const line = 1 + HANDLER.split('\n').findIndex(text => text.includes('raise ValueError'))
      expect(log).toEqual([`ValueError: 16; /sealed/handler.py:${line} in handle`])
    })

    it('of the template python3-http answers with status and fields', async () => {
      const http = functionOf(bundleOf({ 'handler.py': HTTP }), {
        lang: 'python3-http',
        python: { program: PROGRAM, http: true },
      })
      others.push(http)
      const answer = await ask(http, undefined, { target: '/x?a=1', headers: [['X-B', '2']], body: '3' })
      expect([answer.status, answer.headers.get('x-host'), await answer.json()]).toEqual([
        201,
        'yes',
        ['POST', '/x', '1', '2', '3'],
      ])
    })

    it('whose bundle does not fit its language is told so', async () => {
      const script = functionOf(bundleOf({ 'handler.py': HTTP }), { onLog })
      const foreign = functionOf(bundleOf(''), { lang: 'python3', python, onLog })
      others.push(script, foreign)
      log.length = 0
      for (const one of [script, foreign]) await expect(ask(one)).rejects.toThrow()
      expect(log).toEqual([
        'the bundle cannot be used: handler.py is in Python: that needs lang: python3',
        "the bundle cannot be used: lang: python3 stands for Python, and the bundle's function is a.mjs",
      ])
    })
  },
)
