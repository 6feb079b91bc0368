/**
 * Figures that were not measured here and now: other programs, on another day. They stand in a table of their
 * own and are never compared with what a run has measured.
 */
export interface Published {
  readonly what: string
  /** µs. */
  readonly stays?: number
  readonly migrated?: string
  readonly added?: string
  /** Bytes of exported state. */
  readonly state?: number
  /** µs of export and import. */
  readonly parts?: number
}

/** What all of them have in common. */
export const PUBLISHED_SOURCE =
  "C programs over each library's own export, written for this project and not part of it; " +
  '100 B in, 200 B out, one core, p50 in µs, ' +
  'TLS_AES_128_GCM_SHA256, ECDSA P-256; 2-vCPU AMD EPYC, Linux 6.18, OpenSSL 3.0.19, 20 November 2026'

export const PUBLISHED: readonly Published[] = [
  { what: 'physical limit: descriptor + 300 B over a Unix socket', added: '5.7 one way' },
  { what: 'picotls', stays: 17.8, migrated: '32–33', added: '14–15', state: 128, parts: 3.6 },
  { what: 'wolfSSL 5.5.4', stays: 18, migrated: '39–41', added: '21–23', state: 282, parts: 10.3 },
  {
    what: 's2n-tls, memory locking off',
    stays: 21,
    migrated: '77–80',
    added: '56–59',
    state: 126,
    parts: 8.4,
  },
  { what: 's2n-tls as shipped', stays: 23, migrated: '169', added: '146', state: 126, parts: 40 },
]
