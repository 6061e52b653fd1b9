// A secret of AWS Secrets Manager by one signed request: the SDK's client for it would be most of the bundle.
// docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
import aws4 from 'aws4'

type Environment = Readonly<Record<string, string | undefined>>

const timeoutMs = 2500

/** The fields of a secret that is a JSON object, as all secrets for Kafka are. */
export async function secretValue(name: string, env: Environment): Promise<Readonly<Record<string, string>>> {
  const region = /^arn:[^:]+:secretsmanager:([^:]+):/.exec(name)?.[1] ?? env['AWS_REGION'] ?? ''
  const given = env['AWS_ENDPOINT_URL_SECRETS_MANAGER'] ?? env['AWS_ENDPOINT_URL']
  const endpoint = new URL(given ?? `https://secretsmanager.${region}.amazonaws.com`)
  const body = JSON.stringify({ SecretId: name })
  const { headers } = aws4.sign(
    {
      service: 'secretsmanager',
      region,
      method: 'POST',
      host: endpoint.host,
      path: '/',
      headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': 'secretsmanager.GetSecretValue' },
      body,
    },
    {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      ...(env['AWS_SESSION_TOKEN'] && { sessionToken: env['AWS_SESSION_TOKEN'] }),
    },
  )
  // fetch sets these two itself.
  const { Host: _host, 'Content-Length': _length, ...own } = headers as Record<string, string>
  const what = `secret "${name}" of AWS Secrets Manager`
  let answer: Response
  try {
    answer = await fetch(endpoint, { method: 'POST', headers: own, body, signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    const reason = (error as { cause?: Error }).cause?.message ?? (error as Error).message
    throw new Error(
      `${what}: ${endpoint.host} did not answer (${reason}); a function in a VPC needs an interface endpoint for it`,
    )
  }
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${what}: ${answer.status} ${errorOf(text)}`)
  const held = jsonObject((jsonObject(text)?.['SecretString'] as string | undefined) ?? '')
  if (held === undefined) throw new Error(`${what} is no JSON object`)
  return Object.fromEntries(Object.entries(held).map(([field, value]) => [field, String(value)]))
}

/** Only type and message: the rest may hold what is secret. */
function errorOf(text: string): string {
  const { __type: type, message, Message } = jsonObject(text) ?? {}
  return [
    String(type ?? '')
      .split('#')
      .at(-1),
    message ?? Message,
  ]
    .filter(Boolean)
    .join(': ')
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
