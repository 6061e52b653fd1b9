// Where DynamoDB is: one template over the region and AWS' own list of partitions. In a bundle it stands for the rules of AWS' client
// (lib/compiler/aws-client.ts), with which test/connectors/aws-endpoint.test.ts compares it.
export interface EndpointParameters {
  /** Another than the region's. */
  readonly Endpoint?: string
  readonly Region?: string
  readonly UseFIPS?: boolean
  readonly UseDualStack?: boolean
}

/** What AWS' list tells of the region. */
export interface Partition {
  readonly name: string
  readonly dnsSuffix: string
  readonly dualStackDnsSuffix: string
}

export interface Endpoint {
  readonly url: URL
  readonly properties: Readonly<Record<string, never>>
  readonly headers: Readonly<Record<string, never>>
}

export function endpointOf(
  { Endpoint: given, Region, UseFIPS = false, UseDualStack = false }: EndpointParameters,
  partitionOf: (region: string) => Partition,
): Endpoint {
  return { url: new URL(given ?? regional()), properties: {}, headers: {} }

  function regional(): string {
    if (Region === undefined) throw new Error('There is no AWS_REGION in the environment, where Lambda puts it.')
    const { name, dnsSuffix, dualStackDnsSuffix } = partitionOf(Region)
    // In GovCloud every endpoint is one of FIPS.
    const isMarked = UseFIPS && !(name === 'aws-us-gov' && !UseDualStack)
    return `https://dynamodb${isMarked ? '-fips' : ''}.${Region}.${UseDualStack ? dualStackDnsSuffix : dnsSuffix}`
  }
}
