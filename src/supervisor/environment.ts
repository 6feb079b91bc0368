/**
 * What a process inherits of the supervisor's environment, by name: what Node, OpenSSL and the libc need to
 * find their way, and what this program reads. A function gets the rest by `environment` in the configuration
 * or not at all: the supervisor's environment may hold secrets of others.
 */
const NAMES: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'LD_LIBRARY_PATH',
  'LD_PRELOAD',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
  'NODE_V8_COVERAGE',
  'UV_THREADPOOL_SIZE',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SSLKEYLOGFILE',
  'HOTPOTATO_STREAM',
])

/** The part of an environment that a gateway or a container is started with. */
export function inherited(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => NAMES.has(name) || /^(LC|FAKETIME)_/.test(name)),
  )
}
