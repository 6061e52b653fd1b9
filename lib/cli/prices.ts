// Every price that `sluice cost` counts with, in US dollars, for us-east-1, on demand, without free tiers and discounts; other regions are
// 0 to 30 % higher. Noted on 2026-11-25; AWS changes them without notice, and bills are what counts. A month has 730 hours, as in AWS'
// calculator.

export const pricesNotedOn = '2026-11-25'

export const prices = {
  /** aws.amazon.com/lambda/pricing */
  lambda: {
    request: 0.2e-6,
    gbSecond: { arm64: 0.0000133334, x86_64: 0.0000166667 },
    /** A unit of event pollers (20 MB/s) in provisioned mode, per hour; same page, "Event source mapping". */
    pollerUnitHour: 0.185,
  },
  /** aws.amazon.com/cloudwatch/pricing: log ingestion per GB; each metric, alarm and dashboard a month. */
  cloudWatch: { logGb: 0.5, metric: 0.3, alarm: 0.1, dashboard: 3 },
  /** aws.amazon.com/managed-service-apache-flink/pricing: a KPU has 1 vCPU, 4 GB, 50 GB of storage; each application pays one more. */
  flink: { kpuHour: 0.11, storageGbMonth: 0.1, storageGbPerKpu: 50 },
  /** aws.amazon.com/fargate/pricing, Linux on Arm. */
  fargate: { vcpuHour: 0.03238, gbHour: 0.00356 },
} as const

export const hoursPerMonth = 730
