// A token for OAUTHBEARER by the client credentials grant (RFC 6749 4.4), as Kafka's own clients get theirs from
// `sasl.oauthbearer.token.endpoint.url`. Asked for each login: a container logs in a few times per hour.
import { kafkaError } from './errors.ts'

export interface OauthClient {
  readonly endpoint: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope?: string | undefined
}

const timeoutMs = 2500

export async function oauthToken({ endpoint, clientId, clientSecret, scope }: OauthClient): Promise<string> {
  const basic = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) })
  let answer: Response
  try {
    const headers = { authorization: `Basic ${basic}`, accept: 'application/json' }
    answer = await fetch(endpoint, { method: 'POST', headers, body, signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    const reason = (error as { cause?: Error }).cause?.message ?? (error as Error).message
    throw kafkaError('kafka-secrets', { detail: `${endpoint} gave no token (${reason})` }, error)
  }
  const given = (await answer.json().catch(() => ({}))) as { access_token?: unknown; error?: unknown }
  if (!answer.ok || typeof given.access_token !== 'string') {
    const reason = typeof given.error === 'string' ? ` ${given.error}` : ''
    throw kafkaError('kafka-secrets', { detail: `${endpoint} gave no token (${answer.status}${reason})` })
  }
  return given.access_token
}
