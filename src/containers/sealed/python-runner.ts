import { PYTHON_ANSWER } from '../../platform/python-runner.ts'

/**
 * Confines the process before any code of a bundle comes: no core, no file longer than nothing, its memory
 * is for no other process of this user, and it ends with its parent. seccomp(2) refuses it what starts, looks
 * into, signals or limits processes, Unix sockets with a name, and to outlive its parent; landlock(7) what is
 * no library. Arguments: folders that it may read besides.
 */
const CONFINE = `
import ctypes, os, platform, resource, signal, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(1, signal.SIGKILL, 0, 0, 0)
libc.prctl(4, 0, 0, 0, 0)
libc.prctl(38, 1, 0, 0, 0)
for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
    resource.setrlimit(limit, (0, 0))
loose = []

def read_only(folders):
    version = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    reached = (1 << (13 + (version > 1) + (version > 2) + (version > 4))) - 1
    rules = struct.pack("=QQQ", reached, 0, 3)[: 24 if version > 5 else 8]
    given = libc.syscall(444, rules, ctypes.c_size_t(len(rules)), 0)
    for folder in folders:
        try:
            found = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        rule = struct.pack("=Qi", 12 if os.path.isdir(folder) else 4, found)
        libc.syscall(445, given, 1, rule, 0)
        os.close(found)
    done = libc.syscall(446, given, 0)
    os.close(given)
    return done == 0

def alone():
    column = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if column is None:
        return False
    own = os.getpid()
    load, same, above, bits, back = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse, unknown, allow, end = 0x50001, 0x50026, 0x7FFF0000, 0x80000000
    machine = (0xC000003E, 0xC00000B7)[column]
    program = [(load, 0, 0, 4), (same, 1, 0, machine), (back, 0, 0, end), (load, 0, 0, 0)]
    # Calls that are newer than this, and clone3, whose flags no filter sees: the libc has others for them.
    program += [(above, 0, 1, 451), (back, 0, 0, unknown)]
    program += [(same, 0, 1, 435), (back, 0, 0, unknown)]
    def none(*calls):
        for call in calls:
            if call[column] is not None:
                program.extend([(same, 0, 1, call[column]), (back, 0, 0, refuse)])
    def only(argument, values, *calls):
        tests = [(same, len(values) - at, 0, value) for at, value in enumerate(values)]
        part = [(load, 0, 0, 16 + 8 * argument), *tests, (back, 0, 0, refuse), (load, 0, 0, 0)]
        for call in calls:
            program.extend([(same, 0, len(part), call[column]), *part])
    def never(argument, values, *calls):
        tests = [one for value in values for one in ((same, 0, 1, value), (back, 0, 0, refuse))]
        part = [(load, 0, 0, 16 + 8 * argument), *tests, (load, 0, 0, 0)]
        for call in calls:
            program.extend([(same, 0, len(part), call[column]), *part])
    # fork, vfork, execve, execveat
    none((57, None), (58, None), (59, 221), (322, 281))
    # ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, kcmp
    none((101, 117), (310, 270), (311, 271), (438, 438), (312, 272))
    # io_uring_setup, -enter, -register, unshare, setns, bpf, perf_event_open, userfaultfd
    none((425, 425), (426, 426), (427, 427), (272, 97), (308, 268), (321, 280), (298, 241), (323, 282))
    # add_key, request_key, keyctl, migrate_pages, move_pages, process_madvise, process_mrelease
    none((248, 217), (249, 218), (250, 219), (256, 238), (279, 239), (440, 440), (448, 448))
    # pidfd_open, pidfd_send_signal
    none((434, 434), (424, 424))
    # kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
    only(0, [own], (62, 129), (200, 130), (234, 131), (129, 138), (297, 240))
    # prlimit64, sched_setaffinity, -param, -scheduler, -attr
    only(0, [0], (302, 261), (203, 122), (142, 118), (144, 119), (314, 274))
    # setpriority, ioprio_set: of one process, itself
    only(0, [0], (141, 140))
    only(0, [1], (251, 30))
    only(1, [0], (141, 140), (251, 30))
    # fcntl (F_SETOWN, F_SETSIG, F_SETOWN_EX), ioctl (FIOSETOWN, SIOCSPGRP): signals to an owner
    never(1, [8, 10, 15], (72, 25))
    never(1, [0x8901, 0x8902], (16, 29))
    # prctl: PR_SET_PDEATHSIG, PR_SET_DUMPABLE
    never(0, [1, 4], (157, 167))
    # socket: IPv4, IPv6 and netlink; socketpair: streams, that cannot be connected anew
    only(0, [2, 10, 16], (41, 198))
    only(1, [kind | flags for kind in (1, 5) for flags in (0, 0o4000, 0o2000000, 0o2004000)], (53, 199))
    # clone: only a thread
    program += [(same, 0, 3, (56, 220)[column]), (load, 0, 0, 16)]
    program += [(bits, 1, 0, 0x10000), (back, 0, 0, refuse)]
    program += [(back, 0, 0, allow)]
    code = b"".join(struct.pack("=HBBI", *one) for one in program)
    kept = ctypes.create_string_buffer(code)
    return libc.prctl(22, 2, struct.pack("@HP", len(program), ctypes.addressof(kept)), 0, 0) == 0

base = os.path.realpath(sys.base_prefix)
# Of ssl and pki what is public: private keys stand beside it.
etc = "ssl/certs ssl/openssl.cnf pki/tls/certs pki/tls/openssl.cnf pki/ca-trust crypto-policies"
etc += " hosts host.conf resolv.conf nsswitch.conf gai.conf localtime ld.so.cache mime.types"
libraries = [base + "/lib", "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib"]
libraries += ["/usr/share/zoneinfo", "/usr/share/ca-certificates", "/dev/null", "/dev/urandom"]
libraries += ["/etc/" + name for name in etc.split()]
if not read_only(libraries + sys.argv[1:]):
    loose.append("it can read files")
if not alone():
    loose.append("it can start programs and reach other processes")
`

/**
 * Modules out of memory: the files of a bundle are the package `function`, as OpenFaaS's templates have it,
 * and stand beside the libraries; so does what is in their folder `python`. No file is read or written for
 * them, and what went wrong is told without a line of their source. For `hotpotato.store` they ask in
 * frames, as a worker asks its container.
 */
const MODULES = `
import _thread, importlib, importlib.machinery, json, types
files = {}

class Sealed:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        parts = name.split(".")
        if parts[0] == "function":
            return cls.at(name, "/".join(parts[1:]))
        return cls.at(name, "/".join(parts)) or cls.at(name, "/".join(["python", *parts]))
    @classmethod
    def at(cls, name, place):
        inside = place + "/" if place else ""
        for path, package in ((inside + "__init__.py", True), (place + ".py", False)):
            if path in files:
                return cls.spec(name, path, package)
        if any(path.startswith(inside) for path in files):
            return cls.spec(name, inside, True)
    @classmethod
    def spec(cls, name, path, package):
        origin = "/sealed/" + path
        spec = importlib.machinery.ModuleSpec(name, cls, origin=origin, is_package=package)
        spec.has_location = True
        return spec
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        path = module.__spec__.origin
        exec(compile(files.get(path[8:], b""), path, "exec", dont_inherit=True), module.__dict__)
    @staticmethod
    def get_data(path):
        try:
            return files[path[8:]]
        except KeyError:
            raise FileNotFoundError(path) from None

def failed(error):
    places, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename != "<string>":
            places.append(f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}")
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        said = f"{error.msg} ({error.filename}, line {error.lineno})"
    else:
        said = str(error)
    sys.stderr.write("; ".join([f"{type(error).__name__}: {said}", *reversed(places)]) + "\\n")
    sys.stderr.flush()
    os._exit(1)

def told():
    size = pipe.read(4)
    if len(size) < 4:
        os._exit(0)
    given = json.loads(pipe.read(struct.unpack(">I", size)[0]))
    for path, length in given["files"]:
        files[path] = pipe.read(length)
    os.environ.clear()
    os.environ.update(given["variables"])
    sys.meta_path.insert(2, Sealed)
    return given

class Store:
    lock = _thread.allocate_lock()
    @classmethod
    def ask(cls, kind, payload):
        with cls.lock:
            frame = struct.pack(">IBI", len(payload), kind, 0) + payload
            while frame:
                frame = frame[os.write(3, frame):]
            size = struct.unpack(">IBI", pipe.read(9))[0]
            kept, value = pipe.read(1)[0], pipe.read(size - 1)
            if kept == 2:
                raise OSError(value.decode())
            return value if kept == 1 else None
    @classmethod
    def get(cls, name):
        return cls.ask(13, name.encode())
    @classmethod
    def set(cls, name, value):
        value = value.encode() if isinstance(value, str) else bytes(value)
        cls.ask(15, struct.pack(">H", len(name.encode())) + name.encode() + bytes([1]) + value)
    @classmethod
    def delete(cls, name):
        cls.ask(15, struct.pack(">H", len(name.encode())) + name.encode() + bytes([0]))

sys.modules["hotpotato"] = types.ModuleType("hotpotato")
sys.modules["hotpotato"].store = Store

def handler_of(given):
    name = given["entry"][:-3].replace("/", ".")
    return importlib.import_module("function." + name)

for stream in (sys.stdin, sys.stdout):
    stream.reconfigure(encoding="utf-8", errors="surrogateescape")
sys.argv[1:] = []
pipe = os.fdopen(3, "rb")
`

/** As the runner of `lang: python3` does: text in, text out. */
const TEXT = `
given = told()
if loose:
    print("less apart than it should be: " + ", ".join(loose), file=sys.stderr)
try:
    answer = handler_of(given).handle(sys.stdin.read())
    if answer is not None:
        print(answer)
    sys.stdout.flush()
except Exception as error:
    failed(error)
`

/** As the runner of `lang: python3-http` does; what is printed goes into the log. */
const HTTP = `
import email.message, socket
from urllib.parse import parse_qsl

class Event:
    def __init__(self, told, body):
        self.body, self.method, self.path = body, told["method"], told["path"]
        self.query = dict(reversed(parse_qsl(told["query"], keep_blank_values=True)))
        self.headers = email.message.Message()
        for name, value in told["headers"]:
            self.headers[name] = value

class Context:
    hostname = socket.gethostname()

given = told()
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
if loose:
    print("less apart than it should be: " + ", ".join(loose))
try:
    event = Event(given["request"], sys.stdin.buffer.read())
    status, headers, body = answer_of(handler_of(given).handle(event, Context))
    head = json.dumps({"status": status, "headers": [[name, str(value)] for name, value in headers]}).encode()
    answers.write(struct.pack(">I", len(head)) + head + body)
    answers.flush()
    sys.stdout.flush()
except Exception as error:
    failed(error)
`

/**
 * What an interpreter runs that is to serve one request of a sealed function: it waits on descriptor 3 for
 * the bundle's files and the request, whose content is its standard input. Nothing of it is secret: it stands
 * on the command line.
 * @param http the template python3-http is meant, whose answers have a head
 */
export const sealedPythonRunner = (http: boolean): string =>
  CONFINE + MODULES + (http ? PYTHON_ANSWER + HTTP : TEXT)
