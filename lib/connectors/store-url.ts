// The URL of a store as the deployment gives it. It may hold a secret, and a secret with one of "/?#" in it, not percent-encoded, looks like
// another part of the URL: what is wrong with it is told in words, never by the URL or a part of it.

export interface StoreUrl {
  readonly protocol: string
  /** host:port, as messages name it. */
  readonly host: string
  readonly hostname: string
  /** Undefined: the scheme's own. */
  readonly port: number | undefined
  readonly user: string
  readonly password: string
  /** Behind the host's slash. */
  readonly path: string
}

/** `form` shows how it should look. Throws an Error without the URL, whose parser would quote it. */
export function readStoreUrl(url: string, form: string): StoreUrl {
  const malformed = (why: string) => new Error(`the store's URL is not ${form}: ${why}`)
  if (!URL.canParse(url)) throw malformed('it cannot be read; a password or token with one of "/?#@%" must be percent-encoded')
  const { protocol, host, hostname, port, username, password, pathname, search, hash } = new URL(url)
  if (hostname === '') throw malformed('it has no host')
  // Half a password may stand there.
  if (search !== '' || hash !== '' || pathname.includes('@'))
    throw malformed('one of "?#@" stands behind the host; in a password or token "/?#@%" must be percent-encoded')
  if (username !== '' && password === '')
    throw malformed('it has a user and no password; a password or token alone is ":SECRET@"')
  try {
    return {
      protocol,
      host,
      hostname,
      port: port === '' ? undefined : Number(port),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      path: decodeURIComponent(pathname.slice(1)),
    }
  } catch {
    throw malformed('a "%" in it must be written "%25"')
  }
}
