// As much of AWS's API as `deploy`, `deploy function`, `rollback` and `remove` ask for, on loopback, reached by AWS_ENDPOINT_URL. It keeps what is uploaded,
// judges templates by AWS' own resource schemas, makes and changes stacks from them, nested ones as well, and knows each function's code and
// settings, so that a test can run what was deployed. (moto refuses Kafka's ARNs in event source mappings.)
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { templateProblems } from '../../infra/template-schema.ts'

export interface FakeAws {
  readonly url: string
  /** Objects that are in the bucket, by key. */
  readonly objects: ReadonlyMap<string, Buffer>
  /** Calls in order: `STS GetCallerIdentity`, `S3 PUT`, … */
  readonly calls: readonly string[]
  /** Resources of the stack as it stands; undefined: there is none. */
  readonly stack: () => Template | undefined
  /** By name. */
  readonly functions: ReadonlyMap<string, DeployedFunction>
  close(): Promise<void>
}

export interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: Readonly<Record<string, unknown>> }>>
}

export interface DeployedFunction {
  readonly code: Buffer
  readonly properties: Readonly<Record<string, unknown>>
  /** Of the last change, by an own clock: a change is never older than an upload before it. */
  readonly modifiedAt: Date
}

const stackId = 'arn:aws:cloudformation:eu-central-1:123456789012:stack/sluice-dev/1'
const bucket = 'sluice-dev-deployment-bucket'

export async function startFakeAws(): Promise<FakeAws> {
  const objects = new Map<string, Buffer>()
  const metadata = new Map<string, { readonly hash: string; readonly at: Date }>()
  const calls: string[] = []
  const functions = new Map<string, DeployedFunction>()
  let stack: Template | undefined
  let proposed: { readonly type: string; readonly template: Template } | undefined
  let events: readonly string[] = []
  let operations = 0

  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const url = new URL(request.url!, 'http://localhost')
    const parameters = new URLSearchParams(body.toString('latin1'))
    const action = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')
      ? parameters.get('Action')
      : null
    if (action !== null) {
      calls.push(`${action === 'GetCallerIdentity' ? 'STS' : 'CloudFormation'} ${action}`)
      const { status = 200, xml } = query(action, parameters)
      response.writeHead(status, { 'content-type': 'text/xml' }).end(xml)
    } else if (request.headers['x-amz-target'] === 'AmazonEC2ContainerRegistry_V20150921.DescribeRepositories') {
      calls.push('ECR DescribeRepositories')
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' }).end('{"__type":"RepositoryNotFoundException"}')
    } else if (url.pathname.startsWith('/2015-03-31/functions/')) {
      const { status, json } = lambda(request.method!, url.pathname.split('/').slice(3), body)
      response
        .writeHead(status, status === 404 ? { 'x-amzn-errortype': 'ResourceNotFoundException' } : {})
        .end(JSON.stringify(json))
    } else {
      const key = decodeURIComponent(url.pathname).replace(`/${bucket}`, '').replace(/^\//, '')
      calls.push(`S3 ${request.method}`)
      const { status, headers = {}, xml = '' } = s3(request, key, url.searchParams, body)
      response.writeHead(status, headers).end(xml)
    }
  })

  interface S3Answer {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly xml?: string
  }

  function s3(request: IncomingMessage, key: string, search: URLSearchParams, body: Buffer): S3Answer {
    if (request.method === 'PUT') {
      objects.set(key, withoutChunks(request, body))
      metadata.set(key, { hash: String(request.headers['x-amz-meta-filesha256'] ?? ''), at: new Date() })
      return { status: 200, headers: { etag: '"0"' } }
    }
    if (request.method === 'POST' && search.has('delete')) {
      const keys = [...body.toString('utf8').matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, one]) => one!)
      for (const one of keys) objects.delete(one)
      return { status: 200, xml: '<?xml version="1.0"?><DeleteResult></DeleteResult>' }
    }
    if (request.method === 'GET' && search.has('list-type')) {
      const keys = [...objects.keys()].filter(one => one.startsWith(search.get('prefix') ?? ''))
      const contents = keys.map(
        one =>
          `<Contents><Key>${one}</Key><LastModified>${metadata.get(one)!.at.toISOString()}</LastModified><Size>1</Size></Contents>`,
      )
      return {
        status: 200,
        headers: { 'content-type': 'application/xml' },
        xml: `<?xml version="1.0"?><ListBucketResult><Name>${bucket}</Name><KeyCount>${keys.length}</KeyCount><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`,
      }
    }
    if (request.method === 'HEAD' && key === '') {
      return stack === undefined ? { status: 404 } : { status: 200, headers: { 'x-amz-bucket-region': 'eu-central-1' } }
    }
    const found = metadata.get(key)
    if (request.method === 'GET' && objects.has(key)) {
      const bytes = objects.get(key)!
      return { status: 200, headers: { 'content-length': String(bytes.length) }, xml: bytes.toString('utf8') }
    }
    if (request.method !== 'HEAD' || !objects.has(key) || found === undefined) return { status: 404 }
    return {
      status: 200,
      headers: { 'x-amz-meta-filesha256': found.hash, 'last-modified': found.at.toUTCString(), etag: '"0"' },
    }
  }

  function lambda(method: string, path: readonly string[], body: Buffer): { readonly status: number; readonly json: object } {
    const [name, part] = [decodeURIComponent(path[0]!), path[1]]
    const found = functions.get(name)
    const call = { code: 'UpdateFunctionCode', configuration: 'UpdateFunctionConfiguration' }[part ?? ''] ?? 'GetFunction'
    calls.push(`Lambda ${call}`)
    if (found === undefined) return { status: 404, json: { __type: 'ResourceNotFoundException', Message: 'Function not found' } }
    if (method === 'PUT') {
      const change = JSON.parse(body.toString('utf8')) as Record<string, unknown>
      const { ZipFile, ...properties } = change
      functions.set(name, {
        code: typeof ZipFile === 'string' ? Buffer.from(ZipFile, 'base64') : found.code,
        properties: call === 'UpdateFunctionConfiguration' ? { ...found.properties, ...properties } : found.properties,
        modifiedAt: new Date(),
      })
    }
    const { code, properties, modifiedAt } = functions.get(name)!
    const configuration = {
      ...properties,
      FunctionName: name,
      PackageType: 'Zip',
      CodeSha256: createHash('sha256').update(code).digest('base64'),
      LastModified: modifiedAt.toISOString(),
      State: 'Active',
      LastUpdateStatus: 'Successful',
    }
    return { status: 200, json: call === 'GetFunction' ? { Configuration: configuration, Code: {} } : configuration }
  }

  /** What CloudFormation would refuse, nested templates included. */
  function problemsOf(template: Template): readonly string[] {
    const nested = nestedOf(template)
    return [
      ...templateProblems(template),
      ...nested.flatMap(({ id, key, found }) =>
        found === undefined ? [`${id}: there is no template at ${key}`] : templateProblems(JSON.parse(found.toString('utf8'))),
      ),
    ]
  }

  function nestedOf(template: Template) {
    return Object.entries(template.Resources)
      .filter(([, { Type }]) => Type === 'AWS::CloudFormation::Stack')
      .map(([id, { Properties }]) => {
        const url = new URL(String(resolve(Properties['TemplateURL'])))
        const key = url.pathname.slice(1)
        return { id, key, found: url.hostname === `${bucket}.s3.eu-central-1.amazonaws.com` ? objects.get(key) : undefined }
      })
  }

  function templateOf(parameters: URLSearchParams): Template {
    const url = parameters.get('TemplateURL')
    if (url === null) return JSON.parse(parameters.get('TemplateBody')!)
    return JSON.parse(
      objects.get(decodeURIComponent(new URL(url).pathname).replace(`/${bucket}`, '').replace(/^\//, ''))!.toString('utf8'),
    )
  }

  function execute({ type, template }: { readonly type: string; readonly template: Template }): void {
    stack = template
    operations++
    const wanted = Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::Lambda::Function')
    const names = new Set(wanted.map(({ Properties }) => String(Properties['FunctionName'])))
    for (const name of functions.keys()) if (!names.has(name)) functions.delete(name)
    for (const { Properties } of wanted) {
      const { S3Key } = Properties['Code'] as { S3Key: string }
      functions.set(String(Properties['FunctionName']), {
        code: objects.get(S3Key)!,
        properties: resolve(Properties) as Record<string, unknown>,
        modifiedAt: new Date(),
      })
    }
    events = ['COMPLETE', 'IN_PROGRESS'].map(state => event(`${type}_${state}`))
  }

  function query(action: string, parameters: URLSearchParams): { readonly status?: number; readonly xml: string } {
    switch (action) {
      case 'GetCallerIdentity':
        return answer(action, '<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/test</Arn><UserId>U</UserId>')
      case 'DescribeStacks':
        if (stack === undefined) return problem(`Stack with id ${parameters.get('StackName')} does not exist`)
        return answer(action, `<Stacks><member>${stackXml}<StackStatus>UPDATE_COMPLETE</StackStatus></member></Stacks>`)
      case 'CreateChangeSet': {
        const template = templateOf(parameters)
        const problems = problemsOf(template)
        if (problems.length > 0) return problem(problems.join('; '))
        proposed = { type: parameters.get('ChangeSetType')!, template }
        return answer(action, `<Id>arn:change-set</Id><StackId>${stackId}</StackId>`)
      }
      case 'DescribeChangeSet':
        return answer(
          action,
          `<ChangeSetName>c</ChangeSetName><StackId>${stackId}</StackId><Status>CREATE_COMPLETE</Status>${oneChange}`,
        )
      case 'ExecuteChangeSet':
        execute(proposed!)
        return answer(action, '')
      case 'DeleteStack':
        if (objects.size > 0) return problem('The bucket you tried to delete is not empty')
        stack = undefined
        functions.clear()
        operations++
        events = ['COMPLETE', 'IN_PROGRESS'].map(state => event(`DELETE_${state}`))
        return answer(action, '')
      case 'DescribeStackEvents':
        return answer(action, `<StackEvents>${events.join('')}</StackEvents>`)
      case 'DescribeStackResource':
        return answer(action, `<StackResourceDetail><PhysicalResourceId>${bucket}</PhysicalResourceId></StackResourceDetail>`)
      case 'DeleteChangeSet':
      case 'ListStackResources':
      case 'ValidateTemplate':
        return answer(action, '')
      default:
        return problem(`The fake knows no ${action}`)
    }
  }

  function event(status: string): string {
    const id = `${operations}-${status}`
    return `<member><EventId>${id}</EventId>${stackXml}<LogicalResourceId>sluice-dev</LogicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>${status}</ResourceStatus><Timestamp>2026-11-25T12:00:00Z</Timestamp></member>`
  }

  await new Promise<void>(ready => server.listen(0, '127.0.0.1', ready))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    objects,
    calls,
    stack: () => stack,
    functions,
    close: () => new Promise(done => server.close(() => done())),
  }
}

/** Intrinsics as far as our templates use them. */
export function resolve(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolve)
  if (typeof value !== 'object' || value === null) return value
  const { Ref, 'Fn::Join': join, 'Fn::GetAtt': attribute } = value as Record<string, unknown>
  if (typeof Ref === 'string') return { 'AWS::Region': 'eu-central-1', 'AWS::URLSuffix': 'amazonaws.com' }[Ref] ?? bucket
  if (Array.isArray(join)) return (resolve(join[1]) as readonly string[]).join(join[0])
  if (Array.isArray(attribute)) return `arn:aws:made-up:eu-central-1:123456789012:${attribute[0]}`
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolve(member)]))
}

const stackXml = `<StackId>${stackId}</StackId><StackName>sluice-dev</StackName><CreationTime>2026-11-25T12:00:00Z</CreationTime>`
const oneChange = '<Changes><member><Type>Resource</Type></member></Changes>'

function answer(action: string, result: string): { readonly xml: string } {
  return { xml: `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>` }
}

function problem(message: string): { readonly status: number; readonly xml: string } {
  const error = `<Error><Type>Sender</Type><Code>ValidationError</Code><Message>${message}</Message></Error>`
  return { status: 400, xml: `<ErrorResponse>${error}</ErrorResponse>` }
}

// Streams are sent in signed chunks: SIZE;chunk-signature=…\r\nBYTES\r\n, an empty one at the end.
function withoutChunks(request: IncomingMessage, body: Buffer): Buffer {
  if (!request.headers['content-encoding']?.includes('aws-chunked')) return body
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = body.indexOf('\r\n', at)
    const size = Number.parseInt(body.toString('latin1', at, lineEnd), 16)
    if (!(size > 0)) return Buffer.concat(parts)
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}
