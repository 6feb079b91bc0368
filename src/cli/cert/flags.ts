import { REASONS } from '../../acme/revoke.ts'
import { ACME_DIRECTORIES, CHALLENGES, LEAF_KEYS } from '../../platform/acme-settings.ts'
import { JSON_AND_CONFIG } from '../line/command.ts'
import type { Flags } from '../line/flags.ts'

/** What `cert` takes. */
export const CERT_FLAGS = {
  domain: { kind: 'list', value: 'HOST,…', help: 'with issue: the hosts' },
  directory: {
    kind: 'text',
    value: 'URL',
    help: 'of the authority; default: letsencrypt',
    offers: Object.keys(ACME_DIRECTORIES),
  },
  ca: {
    kind: 'text',
    value: 'FILE',
    help: 'whom to trust for its server',
    completes: 'file',
  },
  email: { kind: 'text', value: 'ADDRESS', help: 'that the authority may write to' },
  'agree-to-terms': { kind: 'switch', help: 'I have read and accept the terms of the authority' },
  challenge: { kind: 'text', among: CHALLENGES, help: `default: ${CHALLENGES[0]}` },
  'key-type': {
    kind: 'text',
    among: LEAF_KEYS,
    value: 'KIND',
    help: `${LEAF_KEYS[0]} (default), ${LEAF_KEYS.slice(1).join(', ')}`,
  },
  profile: { kind: 'text', value: 'NAME', help: 'that the authority offers, as shortlived' },
  'eab-kid': { kind: 'text', value: 'ID', help: 'key id of an external account' },
  'eab-key-file': { kind: 'text', value: 'FILE', help: 'its key, base64url', completes: 'file' },
  port: {
    kind: 'text',
    value: 'PORT',
    help: 'where the authority is answered; default: 80',
  },
  reason: {
    kind: 'text',
    among: Object.keys(REASONS),
    value: 'REASON',
    help: 'with revoke; default: unspecified',
  },
  'by-key': { kind: 'switch', help: 'with revoke: by the key of the certificate, without the account' },
  force: { kind: 'switch', help: 'with renew: now, however long it is good for, and whatever failed' },
  ...JSON_AND_CONFIG,
} as const satisfies Flags
