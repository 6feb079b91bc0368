import { randomBytes } from 'node:crypto'
import { HOST_CARRIERS, type LinkSettings } from '../platform/hosts/link-settings.ts'
import { HOST_NAME } from '../platform/hosts/name.ts'
import {
  below,
  ConfigError,
  type KeyValues,
  key,
  oneOf,
  port,
  type Reader,
  reader,
  refuse,
  scalar,
  seconds,
  section,
} from './readers.ts'
import type { MemberSpec, OfOneProcess } from './spec.ts'

const ENDPOINT = '^https?://[A-Za-z0-9.:%_\\[\\]-]+$'
const ADDRESS = '^[A-Za-z0-9.:%_-]+$'
const PREFIX = '^(/[A-Za-z0-9._-]+)+$'

/** Text of one form. */
function formed<D>(allowed: string, pattern: string, fallback: D): Reader<string | D> {
  const form = new RegExp(pattern)
  const judge = (value: unknown): string | undefined =>
    typeof value === 'string' && form.test(value) ? value : undefined
  return scalar(allowed, fallback, judge, { type: 'string', pattern })
}

const endpoints: Reader<readonly string[]> = reader(
  { type: ['array', 'null'], items: { type: 'string', pattern: ENDPOINT }, default: [] },
  (value, place) => {
    if (value === undefined || value === null) return []
    const allowed = 'a list of addresses of etcd, as [http://127.0.0.1:2379]'
    if (!Array.isArray(value)) return refuse(place.path, allowed, value)
    const odd = value.findIndex(one => typeof one !== 'string' || !new RegExp(ENDPOINT).test(one))
    return odd < 0 ? value : refuse(place.path, allowed, value[odd], `${place.path}.${odd}`)
  },
)

const KEYS = {
  name: key('What this host is called among the others.', formed('a name as host-1', HOST_NAME, undefined)),
  etcd: key('Addresses of the etcd that says which hosts there are and who owns what.', endpoints),
  address: key('Where the other hosts reach this one.', formed('an address', ADDRESS, '127.0.0.1')),
  port: key('The port for that; 0: any free one.', port(7443)),
  leaseSeconds: key('Of silence until a host counts as lost.', seconds(2, 3600, 10)),
  carrier: key(
    'How connections of functions with carrier fd go to other hosts: their bytes by this one (relay), ' +
      'or they themselves, by the help of hotpotato netd (repair).',
    oneOf(HOST_CARRIERS, 'relay'),
  ),
  prefix: key('What all keys in etcd begin with.', formed('a path as /hotpotato', PREFIX, '/hotpotato')),
}
const keys = section(KEYS)

/** What is configured of other hosts. */
export type HostsConfig = Omit<KeyValues<typeof KEYS>, 'name'> & { readonly name: string }

/** `hosts`; undefined: this host is alone. */
export const hosts: Reader<HostsConfig | undefined> = reader(
  { ...keys.schema, type: ['object', 'null'] },
  (value, place) => {
    if (value === undefined || value === null) return undefined
    const { name, ...rest } = keys(value, place)
    if (name === undefined)
      throw new ConfigError(
        `${place.path} must have name: what this host is called`,
        below(place, 'name').path,
      )
    if (rest.etcd.length === 0)
      throw new ConfigError(
        `${place.path} must have etcd: a list of its addresses, as [http://127.0.0.1:2379]`,
        below(place, 'etcd').path,
      )
    return { name, ...rest }
  },
  keys,
)

/** The process that reaches other hosts. @param whole the configuration @returns undefined: there are none */
export function linkSpec(
  { hosts, runDirectory }: { readonly hosts: HostsConfig | undefined; readonly runDirectory: string },
  { channel, provider, logLevel }: Pick<LinkSettings, 'channel' | 'provider' | 'logLevel'>,
): MemberSpec | undefined {
  if (hosts === undefined) return undefined
  const { name: hostName, etcd: endpoints, prefix, address, port, leaseSeconds, carrier } = hosts
  const settings: Omit<LinkSettings, OfOneProcess> = {
    ...{ name: 'link', channel, provider, logLevel },
    ...{ hostName, run: RUN, address, port, leaseSeconds, etcd: { endpoints, prefix } },
    ...{ carrier, runDirectory },
  }
  return { name: 'link', role: 'link', entry: LINK, settings }
}

/** Of the platform that this process starts, whatever its stack file says later. */
const RUN = randomBytes(16).toString('hex')

const LINK = new URL('../hosts/main.js', import.meta.url)
