// Certificates for tests, made by openssl in a folder that goes with the test: an authority, a broker on loopback, a client, and an authority
// that nobody trusts. PEM alone, which brokers take, too.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Certificates {
  readonly ca: string
  readonly client: { readonly certificate: string; readonly key: string }
  readonly strangeCa: string
  /** A PKCS #12 file with the broker's key and certificate, for servers that take no PEM. */
  readonly keyStore: (password: string) => string
  /** Settings of a broker's listener of that name. */
  readonly listenerSettings: (name: string, options?: { readonly clientAuth?: boolean }) => Readonly<Record<string, string>>
}

export function makeCertificates(folder: string): Certificates {
  const at = (name: string) => join(folder, name)
  const read = (name: string) => readFileSync(at(name), 'utf8')
  const openssl = (...words: readonly string[]) => execFileSync('openssl', [...words], { cwd: folder, stdio: 'pipe' })
  const authority = (name: string) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    )
  const signed = (name: string, extensions: string) => {
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    writeFileSync(at(`${name}.ext`), extensions)
    openssl(
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    )
  }
  authority('ca')
  authority('strange')
  signed('broker', 'subjectAltName=IP:127.0.0.1\n')
  signed('client', 'extendedKeyUsage=clientAuth\n')
  writeFileSync(at('broker-store.pem'), read('broker.key') + read('broker.pem') + read('ca.pem'))
  return {
    ca: read('ca.pem'),
    client: { certificate: read('client.pem'), key: read('client.key') },
    strangeCa: read('strange.pem'),
    keyStore(password) {
      const out = ['-out', 'broker.p12', '-passout', `pass:${password}`]
      openssl('pkcs12', '-export', '-inkey', 'broker.key', '-in', 'broker.pem', '-certfile', 'ca.pem', ...out)
      return at('broker.p12')
    },
    listenerSettings(name, { clientAuth = false } = {}) {
      const prefix = `listener.name.${name.toLowerCase()}.ssl`
      return {
        [`${prefix}.keystore.type`]: 'PEM',
        [`${prefix}.keystore.location`]: at('broker-store.pem'),
        [`${prefix}.truststore.type`]: 'PEM',
        [`${prefix}.truststore.location`]: at('ca.pem'),
        [`${prefix}.client.auth`]: clientAuth ? 'required' : 'none',
      }
    },
  }
}
