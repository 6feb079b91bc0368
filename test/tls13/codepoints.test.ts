import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CipherSuiteId, NamedGroup, SignatureScheme } from '../../src/tls13/codepoints.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TABLES = { CipherSuiteId, NamedGroup, SignatureScheme }

/** Where numbers are spelled: the table itself, what holds it against the RFC, and wrong ones beside them. */
const MAY_SPELL = /^src\/tls13\/codepoints\.ts$|^test\/tls13\/(codepoints|messages|negative)\b/

describe('the numbers', () => {
  it('are those that IANA assigned', () => {
    expect(CipherSuiteId).toEqual({
      TLS_AES_128_GCM_SHA256: 0x1301,
      TLS_AES_256_GCM_SHA384: 0x1302,
      TLS_CHACHA20_POLY1305_SHA256: 0x1303,
    })
    expect(NamedGroup).toEqual({
      secp256r1: 23,
      secp384r1: 24,
      secp521r1: 25,
      x25519: 29,
      x448: 30,
      ffdhe2048: 256,
      ffdhe3072: 257,
      ffdhe4096: 258,
      ffdhe6144: 259,
      ffdhe8192: 260,
      MLKEM768: 513,
      SecP256r1MLKEM768: 4587,
      X25519MLKEM768: 4588,
    })
    expect(SignatureScheme).toEqual({
      rsa_pkcs1_sha256: 0x0401,
      rsa_pkcs1_sha384: 0x0501,
      rsa_pkcs1_sha512: 0x0601,
      ecdsa_secp256r1_sha256: 0x0403,
      ecdsa_secp384r1_sha384: 0x0503,
      ecdsa_secp521r1_sha512: 0x0603,
      rsa_pss_rsae_sha256: 0x0804,
      rsa_pss_rsae_sha384: 0x0805,
      rsa_pss_rsae_sha512: 0x0806,
      ed25519: 0x0807,
      ed448: 0x0808,
      rsa_pss_pss_sha256: 0x0809,
      rsa_pss_pss_sha384: 0x080a,
      rsa_pss_pss_sha512: 0x080b,
    })
  })

  it.each(Object.entries(TABLES))('of %s stand once: everywhere else they have their names', (_, table) => {
    const spelled = new RegExp(
      `\\b0x(${Object.values(table)
        .map(value => value.toString(16).padStart(4, '0'))
        .join('|')})\\b`,
    )
    const wrong = ['src', 'bench', 'test', 'docs']
      .flatMap(folder =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(file =>
          join(folder, file),
        ),
      )
      .filter(file => file.endsWith('.ts') && !MAY_SPELL.test(file))
      .filter(file => spelled.test(withoutWords(readFileSync(join(ROOT, file), 'utf8'))))
    expect(wrong).toEqual([])
  })
})

/** Code without its comments and strings, in which people read numbers. */
function withoutWords(code: string): string {
  return code
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'|`[^`]*`/g, "''")
    .replaceAll(/(^|\s)\/\/.*$/gm, '')
}
