// As much of AWS's API as a first `serverless deploy` asks for, on loopback, reached by AWS_ENDPOINT_URL. It keeps what is uploaded and says
// that every stack is made at once; it judges no template. (moto refuses Kafka's ARNs in event source mappings.)
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeAws {
  readonly url: string
  /** Objects that were put, by key. */
  readonly objects: ReadonlyMap<string, Buffer>
  /** Calls in order: `STS GetCallerIdentity`, `S3 PUT`, … */
  readonly calls: readonly string[]
  close(): Promise<void>
}

const stackId = 'arn:aws:cloudformation:eu-central-1:123456789012:stack/sluice-dev/1'
const bucket = 'sluice-dev-deployment-bucket'

export async function startFakeAws(): Promise<FakeAws> {
  const objects = new Map<string, Buffer>()
  const calls: string[] = []
  let executions = 0
  let changeSetType = 'CREATE'

  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const url = new URL(request.url!, 'http://localhost')
    const action = new URLSearchParams(body.toString('utf8')).get('Action')
    if (request.method === 'POST' && action !== null) {
      const name = action === 'GetCallerIdentity' ? 'STS' : 'CloudFormation'
      calls.push(`${name} ${action}`)
      const { status = 200, xml } = query(action, new URLSearchParams(body.toString('utf8')))
      response.writeHead(status, { 'content-type': 'text/xml' }).end(xml)
    } else if (url.pathname.startsWith('/2015-03-31/functions/')) {
      calls.push('Lambda GetFunction')
      const found = { __type: 'ResourceNotFoundException', Message: 'Function not found' }
      response.writeHead(404, { 'x-amzn-errortype': 'ResourceNotFoundException' }).end(JSON.stringify(found))
    } else {
      calls.push(`S3 ${request.method}`)
      const key = decodeURIComponent(url.pathname).replace(`/${bucket}`, '').replace(/^\//, '')
      if (request.method === 'PUT') {
        objects.set(key, body)
        response.writeHead(200, { etag: '"0"' }).end()
      } else if (request.method === 'GET' && url.searchParams.has('list-type')) {
        response.writeHead(200, { 'content-type': 'application/xml' }).end(listing)
      } else if (request.method === 'HEAD' && key === '') {
        response.writeHead(200, { 'x-amz-bucket-region': 'eu-central-1' }).end()
      } else {
        response.writeHead(404).end()
      }
    }
  })

  function query(action: string, parameters: URLSearchParams): { readonly status?: number; readonly xml: string } {
    switch (action) {
      case 'GetCallerIdentity':
        return answer(action, '<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/test</Arn><UserId>U</UserId>')
      case 'DescribeStacks':
        if (executions === 0) return problem(`Stack with id ${parameters.get('StackName')} does not exist`)
        return answer(action, `<Stacks><member>${stack}<StackStatus>UPDATE_COMPLETE</StackStatus></member></Stacks>`)
      case 'CreateChangeSet':
        changeSetType = parameters.get('ChangeSetType')!
        return answer(action, `<Id>arn:change-set</Id><StackId>${stackId}</StackId>`)
      case 'DescribeChangeSet':
        return answer(
          action,
          `<ChangeSetName>c</ChangeSetName><StackId>${stackId}</StackId><Status>CREATE_COMPLETE</Status>${oneChange}`,
        )
      case 'ExecuteChangeSet':
        executions++
        return answer(action, '')
      case 'DescribeStackEvents':
        return answer(
          action,
          `<StackEvents>${['COMPLETE', 'IN_PROGRESS'].map(state => event(`${changeSetType}_${state}`)).join('')}</StackEvents>`,
        )
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
    const id = `${executions}-${status}`
    return `<member><EventId>${id}</EventId>${stack}<LogicalResourceId>sluice-dev</LogicalResourceId><ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>${status}</ResourceStatus><Timestamp>2026-11-25T12:00:00Z</Timestamp></member>`
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, objects, calls, close: () => new Promise(resolve => server.close(() => resolve())) }
}

const stack = `<StackId>${stackId}</StackId><StackName>sluice-dev</StackName><CreationTime>2026-11-25T12:00:00Z</CreationTime>`
const oneChange = '<Changes><member><Type>Resource</Type></member></Changes>'
const listing = `<?xml version="1.0"?><ListBucketResult><Name>${bucket}</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`

function answer(action: string, result: string): { readonly xml: string } {
  return { xml: `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>` }
}

function problem(message: string): { readonly status: number; readonly xml: string } {
  const error = `<Error><Type>Sender</Type><Code>ValidationError</Code><Message>${message}</Message></Error>`
  return { status: 400, xml: `<ErrorResponse>${error}</ErrorResponse>` }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}
