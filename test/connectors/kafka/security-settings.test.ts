// What the environment says about the way in; secrets from a stand-in for AWS Secrets Manager, tokens beside those of AWS' own signer.
import { createServer, type Server } from 'node:http'
import { generateAuthTokenFromCredentialsProvider } from 'aws-msk-iam-sasl-signer-js'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { mskIamToken } from '../../../lib/connectors/kafka/msk-iam.ts'
import { LoginFailed, scram } from '../../../lib/connectors/kafka/sasl.ts'
import { type SecurityEnvironment, securityFrom } from '../../../lib/connectors/kafka/security.ts'

describe('the token for IAM is that of the official signer, but for the name of the client', () => {
  test.each([
    [
      'keys of a user',
      'eu-central-1',
      { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    ],
    [
      'keys of a role',
      'us-gov-west-1',
      { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'sec/ret+', sessionToken: 'IQoJb3JpZ2luX2VjE+/=Example==' },
    ],
  ])('%s', async (_, region, credentials) => {
    vi.useFakeTimers({ now: new Date('2026-11-25T10:11:12.345Z'), toFake: ['Date'] })
    try {
      const official = await generateAuthTokenFromCredentialsProvider({ region, awsCredentialsProvider: async () => credentials })
      expect(parametersOf(mskIamToken({ region, credentials }))).toEqual(parametersOf(official.token))
    } finally {
      vi.useRealTimers()
    }
  })

  function parametersOf(token: string) {
    expect(token).toMatch(/^[\w-]+$/)
    const url = new URL(Buffer.from(token, 'base64url').toString())
    expect(url.searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/)
    url.searchParams.delete('User-Agent')
    url.searchParams.sort()
    return url.href
  }
})

describe('SCRAM', () => {
  test.each([
    ['a nonce that is not ours', 'r=other,s=c2FsdA==,i=4096', 'does not keep to SCRAM'],
    ['so few iterations that the password could be guessed', 'r=NONCEx,s=c2FsdA==,i=1', 'asks for 1 iterations'],
    ['so many iterations that we would be busy for minutes', 'r=NONCEx,s=c2FsdA==,i=100000000', 'asks for 100000000 iterations'],
    ['an error', 'e=unknown-user', 'the broker says unknown-user'],
  ])('a broker that answers with %s', async (_, words, message) => {
    const conversation = scram('sha256', { username: 'u', password: 'p' })
    const nonce = (await conversation.first()).split('r=')[1]!
    await expect(conversation.next(words.replace('NONCE', nonce))).rejects.toThrow(message)
  })

  test('a broker that does not know the password either is found out', async () => {
    const conversation = scram('sha512', { username: 'a,b=c', password: 'p' })
    const first = await conversation.first()
    expect(first).toMatch(/^n,,n=a=2Cb=3Dc,r=/)
    await conversation.next(`r=${first.split('r=')[1]}x,s=c2FsdA==,i=4096`)
    await expect(conversation.next('v=AAAA')).rejects.toThrow(LoginFailed)
  })
})

describe('a contradiction is told before the first batch', () => {
  test.each<[SecurityEnvironment, string]>([
    [{ SLUICE_KAFKA_SECURITY: 'ssl' }, 'SLUICE_KAFKA_SECURITY is "ssl"; it takes plaintext, tls, sasl-plain'],
    [{ SLUICE_KAFKA_SECURITY: 'sasl-plain', SLUICE_KAFKA_TLS: 'no' }, 'SLUICE_KAFKA_TLS is "no"; it takes on, off'],
    [{ SLUICE_KAFKA_SECURITY: 'tls', SLUICE_KAFKA_TLS: 'off' }, 'exclude each other'],
    [{ SLUICE_KAFKA_SECURITY: 'msk-iam', AWS_REGION: 'eu-central-1', SLUICE_KAFKA_TLS: 'off' }, 'take IAM only with TLS'],
    [{ SLUICE_KAFKA_SECURITY: 'msk-iam' }, 'AWS_REGION is not set'],
    [
      { SLUICE_KAFKA_SECURITY: 'sasl-scram-512' },
      'SLUICE_KAFKA_USERNAME is not set: sasl-scram-512 needs it, or SLUICE_KAFKA_SECRET',
    ],
    [{ SLUICE_KAFKA_SECURITY: 'sasl-plain', SLUICE_KAFKA_USERNAME: 'u' }, 'SLUICE_KAFKA_PASSWORD is not set'],
    [{ SLUICE_KAFKA_SECURITY: 'sasl-oauthbearer' }, 'SLUICE_KAFKA_OAUTH_ENDPOINT is not set'],
  ])('%j', (env, message) => {
    expect(() => securityFrom(env)).toThrow(message)
  })

  test('nothing set means no TLS and no login', () => {
    expect(securityFrom({})).toEqual({})
  })
})

describe('secrets that AWS Secrets Manager keeps', () => {
  let server: Server
  let env: SecurityEnvironment
  let asked: { target: unknown; authorization: unknown; body: string }[] = []
  let answer: { status: number; body: object } = { status: 200, body: {} }

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = ''
      request.on('data', chunk => {
        body += chunk
      })
      request.on('end', () => {
        asked.push({ target: request.headers['x-amz-target'], authorization: request.headers.authorization, body })
        response.statusCode = answer.status
        response.end(JSON.stringify(answer.body))
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    env = {
      SLUICE_KAFKA_SECURITY: 'sasl-plain',
      SLUICE_KAFKA_SECRET: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:AmazonMSK_sluice-AbCdEf',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'hunter2',
    }
  })
  afterAll(() => server.close())

  const secret = (fields: object) => ({ status: 200, body: { SecretString: JSON.stringify(fields) } })

  test('name and password, read once for many connections, and anew after a refused login', async () => {
    asked = []
    answer = secret({ username: 'u', password: 'old' })
    const { login, loginRefused } = securityFrom(env)
    const both = await Promise.all([login!(), login!()])
    expect(await Promise.all(both.map(one => one.first()))).toEqual(['\0u\0old', '\0u\0old'])
    expect(asked).toEqual([
      {
        target: 'secretsmanager.GetSecretValue',
        // The region of the secret, not that of the function.
        authorization: expect.stringContaining('/eu-west-1/secretsmanager/aws4_request, SignedHeaders='),
        body: '{"SecretId":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:AmazonMSK_sluice-AbCdEf"}',
      },
    ])
    answer = secret({ username: 'u', password: 'new' })
    expect(await (await login!()).first()).toBe('\0u\0old')
    loginRefused!()
    expect(await (await login!()).first()).toBe('\0u\0new')
  })

  test("a client certificate, in the form of Lambda's own secrets", async () => {
    answer = secret({ certificate: 'C', privateKey: 'K', privateKeyPassword: 'P' })
    const { tls } = securityFrom({ ...env, SLUICE_KAFKA_SECURITY: 'tls' })
    expect(await tls!()).toEqual({ ca: undefined, certificate: 'C', key: 'K', keyPassphrase: 'P' })
  })

  test.each([
    [
      'not allowed',
      { status: 400, body: { __type: 'com.amazon#AccessDeniedException', Message: 'no identity-based policy allows it' } },
      'AccessDeniedException: no identity-based policy allows it',
    ],
    ['of another form', secret({ user: 'u' }), 'lacks "username" or "password"'],
    ['no JSON', { status: 200, body: { SecretString: 'hunter2' } }, 'is no JSON object'],
  ])('a secret that is %s is told, without what is in it', async (_, given, message) => {
    answer = given
    const error = await securityFrom(env).login!().catch(error => error)
    expect(error).toMatchObject({ id: 'kafka-secrets', message: expect.stringContaining(message) })
    expect(error.message).not.toContain('hunter2')
  })

  test('a secret that nobody gives out is told with the cure', async () => {
    const unreachable = { ...env, AWS_ENDPOINT_URL_SECRETS_MANAGER: 'http://127.0.0.1:1' }
    await expect(securityFrom(unreachable).login!()).rejects.toThrow('a function in a VPC needs an interface endpoint')
  })
})
