import { crc32 } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FakeAws, startFakeAws } from './fake-aws.ts'
import { copyService, type Service } from './service.ts'

let aws: FakeAws
let service: Service

beforeAll(async () => {
  aws = await startFakeAws()
  service = copyService()
})

afterAll(async () => {
  service.remove()
  await aws.close()
})

test('a first deploy uploads each function and the template, and updates the stack', async () => {
  const { code, output } = await service.serverless(['deploy'], {
    AWS_ENDPOINT_URL: aws.url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    SLS_AWS_MONITORING_FREQUENCY: '10',
  })
  expect([code, output]).toEqual([0, expect.stringContaining('Service deployed')])
  const uploaded = new Map(
    [...aws.objects].map(([key, bytes]) => [
      key
        .split('/')
        .at(-1)!
        .replace(/-[0-9a-f]{16}\./, '.'),
      bytes,
    ]),
  )
  expect([...uploaded.keys()].sort()).toEqual([
    'compiled-cloudformation-template.json',
    'large-transactions.zip',
    'next-best-action.zip',
    'serverless-state.json',
    'sluice-observability.json',
    'telecom-campaign.zip',
  ])
  const { Resources } = JSON.parse(uploaded.get('compiled-cloudformation-template.json')!.toString('utf8'))
  const types = Object.values(Resources).map(resource => (resource as { Type: string }).Type)
  expect(types.filter(type => type === 'AWS::Lambda::EventSourceMapping')).toHaveLength(3)
  expect(aws.calls.filter(call => call === 'CloudFormation ExecuteChangeSet')).toHaveLength(2)
})

test('what is uploaded is the archive that was built', () => {
  const [, zip] = [...aws.objects].find(([key]) => key.endsWith('/telecom-campaign.zip'))!
  // Local header: CRC at 14, sizes at 18 and 22, length of the name at 26. The second file is small and stands in full.
  expect(zip.subarray(30, 30 + zip.readUInt16LE(26)).toString()).toBe('index.js')
  const second = 30 + zip.readUInt16LE(26) + zip.readUInt32LE(18)
  expect(zip.subarray(second + 30, second + 30 + zip.readUInt16LE(second + 26)).toString()).toBe('package.json')
  expect(zip.readUInt32LE(second + 14)).toBe(crc32('{"type":"module"}\n'))
})
