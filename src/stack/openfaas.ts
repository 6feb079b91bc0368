import { parseDuration } from '../platform/durations.ts'
import { ConfigError, foreign, key, reader, refuse, scalar, section } from './readers.ts'

/*
 * Keys of OpenFaaS's stack.yml, spelt as there. What needs a registry, a container engine or a cluster has no
 * meaning here: it is remarked on once, and harmless.
 */

/** Text that nothing here looks into. */
const text = scalar('a text', undefined, value => (typeof value === 'string' ? value : undefined), {
  type: 'string',
})

/** Keys of one function that change nothing here. */
export const FOREIGN_FUNCTION_KEYS = {
  image: foreign('The image in a registry.'),
  skip_build: foreign('Whether the image is built.'),
  build_args: foreign('Arguments of that build.'),
  build_options: foreign('Options of that build.'),
  build_secrets: foreign('Secrets of that build.'),
  platforms: foreign('Platforms that the image is built for.'),
  registry_auth: foreign('Credentials of the registry.'),
  constraints: foreign('On which node of a cluster it may run.'),
  namespace: foreign('Its namespace in a cluster.'),
}

/** What OpenFaaS's watchdog starts. */
export const fprocess = key("OpenFaaS's: the same as fprocess in environment, which goes before it.", text)

/** Keys of the whole. */
export const PROVIDER_KEYS = {
  provider: key(
    "OpenFaaS's: who runs the functions. hotpotato does, whatever it says.",
    section({
      name: key('As openfaas.', text),
      gateway: key('The URL of a gateway; here the keys of gateway say where that is.', text),
      network: foreign('A network of containers.'),
    }),
  ),
  configuration: foreign('Where templates and files for builds come from.'),
}

/** What labels of OpenFaaS say of how many containers there are. */
export interface ScaleLabels {
  readonly min: number | undefined
  readonly max: number | undefined
  /** Seconds without work until there is no container; 0: never; undefined: they say nothing. */
  readonly idleSeconds: number | undefined
}

const PREFIX = 'com.openfaas.scale.'
/** What OpenFaaS takes if a function may be scaled to zero and no time is given. */
const ZERO_AFTER = 900

/** @param path where the labels stand @param most containers that are possible @throws ConfigError */
export function scaleLabels(
  labels: Readonly<Record<string, string>>,
  path: string,
  most: number,
): ScaleLabels {
  type Judge<T> = (value: string) => T | undefined
  const read = <T>(name: string, allowed: string, judge: Judge<T>): T | undefined => {
    const value = labels[PREFIX + name]
    if (value === undefined) return undefined
    return judge(value) ?? refuse(`${path}.${PREFIX}${name}`, allowed, value)
  }
  const count = (value: string): number | undefined =>
    /^\d{1,9}$/.test(value) && Number(value) >= 1 && Number(value) <= most ? Number(value) : undefined
  const counts = `a whole number from 1 to ${most}`
  const min = read('min', counts, count)
  const max = read('max', counts, count)
  if (min !== undefined && max !== undefined && min > max)
    throw new ConfigError(`${path}.${PREFIX}min must be at most ${PREFIX}max (${max}), not ${min}`, path)
  const zero = read('zero', 'true or false', value =>
    value === 'true' || value === 'false' ? value : undefined,
  )
  const after = read('zero-duration', 'a duration, as 15m', parseDuration)
  const idleSeconds = zero === undefined ? undefined : zero === 'true' ? (after ?? ZERO_AFTER) : 0
  return { min, max, idleSeconds }
}

/** Memory in bytes, as Kubernetes writes it. */
const MEMORY: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** A number or a text as text; empty if it is neither. */
function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

const memory = scalar(
  'an amount of memory, as 128Mi, 1Gi or a number of bytes',
  undefined,
  value => {
    const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([kKMGT]i?)?$/.exec(plain(value)) ?? []
    const factor = MEMORY[unit]
    const bytes = number === '' || factor === undefined ? 0 : Math.floor(Number(number) * factor)
    return bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined
  },
  { type: ['string', 'integer'], pattern: '^[0-9]+([.][0-9]+)?([kKMGT]|[KMGT]i)?$' },
)

const cpu = scalar(
  'an amount of processor time, as 500m (half a core), 0.5 or 2',
  undefined,
  value => {
    const [, number, milli] = /^(\d+(?:\.\d+)?)(m?)$/.exec(plain(value)) ?? []
    const cores = Number(number) / (milli === 'm' ? 1000 : 1)
    return cores > 0 && cores <= 1024 ? cores : undefined
  },
  { type: ['string', 'number'], pattern: '^[0-9]+([.][0-9]+)?m?$' },
)

/** `limits` and `requests`: bytes of memory, and cores. */
export const resources = section({
  memory: key('As 128Mi.', memory),
  cpu: key('Cores, as 500m or 0.5.', cpu),
})

/** Names of files with secrets. */
export const names = reader<readonly string[]>(
  { type: ['array', 'null'], items: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,253}$' }, default: [] },
  (value, { path }) => {
    if (value === undefined || value === null) return []
    const allowed = 'a list of names of 1 to 253 letters, digits, ., - and _'
    if (!Array.isArray(value)) return refuse(path, allowed, value)
    const odd = value.findIndex(
      one => typeof one !== 'string' || !/^[A-Za-z0-9._-]{1,253}$/.test(one) || /^\.\.?$/.test(one),
    )
    return odd < 0 ? [...new Set(value)] : refuse(path, allowed, value[odd], `${path}.${odd}`)
  },
)

/** The template that a function is written for. */
export const lang = scalar(
  'the name of a template, as node22',
  undefined,
  value => (typeof value === 'string' && /^[A-Za-z0-9._-]{1,63}$/.test(value) ? value : undefined),
  { type: 'string', pattern: '^[A-Za-z0-9._-]{1,63}$' },
)
