// The settings of one event source mapping, under AWS's names: the same object that generates the CloudFormation drives the local mapping.
// docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html

export interface EsmSettings {
  readonly topic: string
  readonly consumerGroupId: string
  /** 1 … 10,000; default 100. */
  readonly batchSize: number
  /** 0 … 300; undefined: Kafka's default of 500 ms, which cannot be set explicitly. */
  readonly maximumBatchingWindowInSeconds: number | undefined
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST' | 'AT_TIMESTAMP'
  readonly startingPositionTimestamp?: number
  readonly functionResponseTypes: readonly 'ReportBatchItemFailures'[]
  /** −1: without end (default). */
  readonly maximumRetryAttempts: number
  /** −1: without end (default, also where absent). */
  readonly maximumRecordAgeInSeconds?: number
  readonly bisectBatchOnFunctionError?: boolean
  /** Absent: true. */
  readonly enabled?: boolean
  /** Patterns of `value`, at most 10; empty: all records. */
  readonly filterPatterns?: readonly unknown[]
  /** Absent: on-demand mode. AWS takes retries, age and bisect only in provisioned mode. */
  readonly provisionedPollerConfig?: {
    readonly minimumPollers?: number
    readonly maximumPollers?: number
    readonly pollerGroupName?: string
  }
  /** Absent: all in provisioned mode, else none. */
  readonly metricsConfig?: { readonly metrics: readonly string[] }
  /** Absent: INFO in provisioned mode, which alone has it. */
  readonly loggingConfig?: { readonly systemLogLevel: 'DEBUG' | 'INFO' | 'WARN' }
  readonly kmsKeyArn?: string
  readonly functionTimeoutSeconds: number
  readonly functionMemoryMb: number
}
