// Every price that `sluice cost` and infra/demo/cost.ts count with, in US dollars, for us-east-1, on demand, without free tiers and discounts;
// other regions are 0 to 30 % higher. Noted on 2026-11-25; AWS changes them without notice, and bills are what counts. A month has 730 hours, as
// in AWS' calculator. AWS' own price lists could not be read from where this was written; the page of each price is named for today's. How sure:
// [2026] agrees with public texts of this year that quote AWS; [older] known from older texts and not seen confirmed, perhaps changed since.

export const pricesNotedOn = '2026-11-25'

export const prices = {
  /** aws.amazon.com/lambda/pricing [2026] */
  lambda: {
    request: 0.2e-6,
    gbSecond: { arm64: 0.0000133334, x86_64: 0.0000166667 },
    /** A unit of event pollers (20 MB/s) in provisioned mode, per hour; same page, "Event source mapping" [older]. */
    pollerUnitHour: 0.185,
  },
  /** aws.amazon.com/cloudwatch/pricing: log ingestion per GB; each metric and dashboard a month [2026], each alarm [older]. */
  cloudWatch: { logGb: 0.5, metric: 0.3, alarm: 0.1, dashboard: 3 },
  /** aws.amazon.com/managed-service-apache-flink/pricing: a KPU has 1 vCPU, 4 GB, 50 GB of storage; each application pays one more [2026]. */
  flink: { kpuHour: 0.11, storageGbMonth: 0.1, storageGbPerKpu: 50 },
  /** aws.amazon.com/fargate/pricing, Linux on Arm [2026]. */
  fargate: { vcpuHour: 0.03238, gbHour: 0.00356 },
  /** aws.amazon.com/msk/pricing: kafka.t3.small; a serverless cluster, and each of its partitions [older]. */
  msk: { smallBrokerHour: 0.0456, storageGbMonth: 0.1, serverlessHour: 0.75, serverlessPartitionHour: 0.0015 },
  /** aws.amazon.com/elasticache/pricing: cache.t4g.micro with Valkey, 20 % below Redis [older]. */
  elastiCache: { microValkeyHour: 0.0128 },
  /** aws.amazon.com/vpc/pricing, aws.amazon.com/privatelink/pricing, per zone; traffic is extra [older]. */
  network: { natHour: 0.045, endpointHour: 0.01, addressHour: 0.005 },
  /** aws.amazon.com/secrets-manager/pricing [older] */
  secretMonth: 0.4,
} as const

export const hoursPerMonth = 730
