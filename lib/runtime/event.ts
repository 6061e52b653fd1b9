// The Lambda event of a Kafka event source mapping, as AWS sends it (our own types: those of @types/aws-lambda 8.10 lack tombstones, null
// headers and the partial response). docs.aws.amazon.com/lambda/latest/dg/with-msk.html

export interface KafkaEvent {
  /** 'aws:kafka' (MSK), 'SelfManagedKafka'; one forum sample shows 'aws:SelfManagedKafka'. */
  readonly eventSource: string
  readonly eventSourceArn?: string
  /** Comma-separated. */
  readonly bootstrapServers?: string
  /** `${topic}-${partition}` → records in order of offset. Topics may contain '-': read topic and partition from the record. */
  readonly records: Readonly<Record<string, readonly KafkaEventRecord[]>>
}

export interface KafkaEventRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly timestampType: 'CREATE_TIME' | 'LOG_APPEND_TIME'
  /** Base64; absent for null. */
  readonly key?: string | null
  /** Base64; absent for null (a tombstone). */
  readonly value?: string | null
  /** One-entry objects, so that order and repeated names are kept; SIGNED bytes (−128 … 127). */
  readonly headers?: readonly Readonly<Record<string, readonly number[]>>[] | null
}

/** What the function returns. An empty list means success in every mode of the mapping. */
export interface KafkaBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: { readonly partition: string; readonly offset: number } }[]
}
