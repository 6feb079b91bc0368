import { ACME_DIRECTORIES, type AcmeSettings, CHALLENGES, LEAF_KEYS } from '../platform/acme-settings.ts'
import { certificateNames } from './certificate-names.ts'
import type { FunctionConfig } from './function.ts'
import {
  ConfigError,
  isText,
  key,
  oneOf,
  path,
  type Reader,
  reader,
  refuse,
  scalar,
  section,
  show,
  truth,
} from './readers.ts'

/** `tls.acme`, as it is written. */
export interface AcmeConfig extends AcmeSettings {
  /** Hosts of functions; undefined: all that functions name. */
  readonly domains: readonly string[] | undefined
}

const NAMES = Object.keys(ACME_DIRECTORIES)

const directory: Reader<string> = scalar(
  `${NAMES.join(' or ')}, or a URL that begins with https://, without a password`,
  ACME_DIRECTORIES.letsencrypt!,
  value => acmeDirectory(value),
  { anyOf: [{ enum: NAMES }, { type: 'string', pattern: '^https://' }] },
)

/** The URL of a directory, by its name or as it is; undefined for anything else. */
export function acmeDirectory(value: unknown): string | undefined {
  if (!isText(value)) return undefined
  if (Object.hasOwn(ACME_DIRECTORIES, value)) return ACME_DIRECTORIES[value]
  // No authority asks for a name and a password, and the URL stands in logs.
  const { protocol, username, password } = URL.canParse(value) ? new URL(value) : new URL('none:')
  return protocol === 'https:' && username === '' && password === '' ? value : undefined
}

const EMAIL = '^[^\\s@,?<>"%]+@[^\\s@,?<>"%]+\\.[^\\s@,?<>"%]+$'

/** Whether that can be the one address of a contact, without header fields (RFC 8555 §7.3). */
export function isEmail(value: unknown): value is string {
  return isText(value) && value.length <= 254 && new RegExp(EMAIL).test(value)
}

const email = scalar(
  'one email address, as admin@example.com',
  undefined,
  value => (isEmail(value) ? value : undefined),
  { type: 'string', pattern: EMAIL },
)

const profile = scalar(
  'the name of a profile, as shortlived',
  undefined,
  value => (isText(value) && /^[\w.-]{1,64}$/.test(value) ? value : undefined),
  { type: 'string', pattern: '^[\\w.-]{1,64}$' },
)

const keyId = scalar('a key id', undefined, value => (isText(value) ? value : undefined), {
  type: 'string',
  minLength: 1,
})

const domains: Reader<readonly string[] | undefined> = reader(
  { type: ['array', 'null'], minItems: 1, maxItems: 100, items: { type: 'string', minLength: 1 } },
  (value, place) => {
    if (value === undefined || value === null) return undefined
    const allowed = 'a list of 1 to 100 hosts, as [example.com, www.example.com]'
    if (!Array.isArray(value) || value.length === 0 || value.length > 100)
      return refuse(place.path, allowed, value)
    const odd = value.findIndex(one => !isText(one))
    if (odd >= 0) return refuse(place.path, allowed, value[odd], `${place.path}.${odd}`)
    return [...new Set(value.map(one => String(one).toLowerCase()))]
  },
)

const externalKeys = section({
  keyId: key('As the authority has given it.', keyId),
  keyFile: key('The path of a file with its key, base64url.', path('the path of a file', undefined)),
})

const externalAccount: Reader<AcmeSettings['externalAccount']> = reader(
  externalKeys.schema,
  (value, place) => {
    if (value === undefined || value === null) return undefined
    const { keyId: id, keyFile } = externalKeys(value, place)
    if (id === undefined || keyFile === undefined)
      return refuse(place.path, 'a map of keyId and keyFile', value)
    return { keyId: id, keyFile }
  },
  externalKeys,
)

const KEYS = section({
  directory: key(`The authority: ${NAMES.join(', ')}, or the URL of another directory.`, directory),
  email: key('That the authority may write to.', email),
  agreeToTerms: key('I have read and accept the terms of service of the authority.', truth(false)),
  domains: key('The hosts; by default all that functions name.', domains),
  challenge: key('How the authority sees that a host is ours.', oneOf(CHALLENGES, CHALLENGES[0])),
  keyType: key('Of the keys that are certified.', oneOf(LEAF_KEYS, LEAF_KEYS[0])),
  profile: key('Of the certificates, as the authority offers it: shortlived.', profile),
  externalAccount: key('An account with the authority that is there already.', externalAccount),
  ca: key('File of the authorities to trust for its server.', path('the path of a file', undefined)),
})

/** `tls.acme`; undefined unless it is written down. */
export const acme: Reader<AcmeConfig | undefined> = reader(
  KEYS.schema,
  (value, place) => (value === undefined || value === null ? undefined : KEYS(value, place)),
  KEYS,
)

/** A certificate that an authority of the web is to be asked for. */
export interface OrderedCertificate {
  readonly name: string
  readonly names: readonly string[]
}

/** The certificates that are got by ACME, each for the hosts of the functions that use it. */
export function acmeCertificates(config: {
  readonly tls: { readonly acme: AcmeConfig | undefined }
  readonly functions: ReadonlyMap<string, FunctionConfig>
}): OrderedCertificate[] {
  const { acme: wanted } = config.tls
  if (wanted === undefined) return []
  const chosen = wanted.domains && new Set(wanted.domains)
  return certificateNames(config).flatMap(({ name, hosts }) => {
    const names = hosts.filter(host => chosen?.has(host) ?? true)
    return names.length === 0 ? [] : [{ name, names }]
  })
}

/** @throws ConfigError what is asked for cannot be got, or would not do */
export function checkAcme(config: Parameters<typeof acmeCertificates>[0]): void {
  const { acme: wanted } = config.tls
  if (wanted === undefined) return
  const at = 'tls.acme.domains'
  const hosts = new Set(certificateNames(config).flatMap(one => one.hosts))
  const strange = wanted.domains?.find(one => !hosts.has(one))
  if (strange !== undefined)
    throw new ConfigError(`${at}: ${show(strange)} is no host of a function; name it in the hosts of one`, at)
  const all = acmeCertificates(config)
  if (all.length === 0)
    throw new ConfigError(`${at}: no function names a host that a certificate could be for`, 'tls.acme')
  for (const { name, names } of all) {
    const wild = names.find(one => one.includes('*'))
    if (wild !== undefined)
      throw new ConfigError(
        `${at}: ${wild} is a wildcard, which only DNS-01 can show to be yours, and that is not offered; ` +
          'name in tls.acme.domains the hosts that are none, and give that function another `certificate`',
        at,
      )
    const left = certificateNames(config)
      .find(one => one.name === name)!
      .hosts.filter(one => !names.includes(one))
    if (left.length > 0)
      throw new ConfigError(
        `${at}: the certificate ${name} is for ${left.join(', ')}, too: name it, or give its function ` +
          'another `certificate`',
        at,
      )
  }
}
