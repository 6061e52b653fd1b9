// Where a server is and how one gets in, as the URL says: redis://[[user]:password@]host[:port][/database], rediss:// for TLS.

export interface Target {
  readonly host: string
  readonly port: number
  readonly login?: Login | undefined
  readonly database: number
  readonly tls?: Tls | undefined
}

export interface Login {
  /** Undefined: the password alone, as ElastiCache's AUTH token is given. */
  readonly user: string | undefined
  readonly password: string
}

export interface Tls {
  /** Authorities to trust beside Node's, in PEM. */
  readonly ca?: string | undefined
  /** The name in the URL: nodes of a cluster may be told by their number alone, and show a certificate for this name. */
  readonly servername: string
}

/** Throws an Error in words without the URL, which may hold a password. */
export function targetOf(url: string, ca?: string): Target {
  const malformed = (why: string) => new Error(`the store's URL is not redis://[[user]:password@]host[:port][/database]: ${why}`)
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw malformed('it cannot be read; a password with one of "/?#@%" must be percent-encoded')
  }
  const { protocol, hostname, port, username, password, pathname, search } = parsed
  if (protocol !== 'redis:' && protocol !== 'rediss:') throw malformed('its scheme is another')
  if (hostname === '') throw malformed('it has no host')
  if (search !== '') throw malformed('it takes nothing after a "?"')
  const database = /^\/?(\d{0,5})$/.exec(pathname)?.[1]
  if (database === undefined) throw malformed('the database is not a number')
  const host = hostname.replace(/^\[|\]$/g, '')
  let login: Login | undefined
  try {
    // A user without a password, as in redis://token@host, is not what anybody means: Redis has no login by name alone.
    if (password === '' && username !== '') throw malformed('it has a user and no password; a password alone is ":password@"')
    if (password !== '') login = { user: decodeURIComponent(username) || undefined, password: decodeURIComponent(password) }
  } catch (error) {
    throw error instanceof URIError ? malformed('a "%" in user or password must be written "%25"') : error
  }
  return {
    host,
    port: port === '' ? 6379 : Number(port),
    login,
    database: Number(database),
    tls: protocol === 'rediss:' ? { ca, servername: host } : undefined,
  }
}

export function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
