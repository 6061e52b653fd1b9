// What a broker's error code means to a transaction. kafka.apache.org/protocol.html#protocol_error_codes; which of them are retried is
// event-source-mapping.md 4.5, "Client requirements".

export type CodeMeaning =
  /** The same request again, after a pause. */
  | 'retry'
  /** The coordinator or leader is elsewhere: look it up, then the same request again. */
  | 'moved'
  /** A newer invocation owns the transactional id; which code says so depends on the component that answers. */
  | 'fenced'
  | 'too-large'
  | 'unknown-topic'
  | 'unauthorized'
  /** Abort, and let the batch come again. */
  | 'refused'

const codes: Readonly<Record<number, readonly [name: string, meaning: CodeMeaning]>> = {
  [-1]: ['UNKNOWN_SERVER_ERROR', 'refused'],
  2: ['CORRUPT_MESSAGE', 'retry'],
  3: ['UNKNOWN_TOPIC_OR_PARTITION', 'unknown-topic'],
  5: ['LEADER_NOT_AVAILABLE', 'moved'],
  6: ['NOT_LEADER_OR_FOLLOWER', 'moved'],
  7: ['REQUEST_TIMED_OUT', 'retry'],
  8: ['BROKER_NOT_AVAILABLE', 'moved'],
  9: ['REPLICA_NOT_AVAILABLE', 'moved'],
  10: ['MESSAGE_TOO_LARGE', 'too-large'],
  12: ['OFFSET_METADATA_TOO_LARGE', 'refused'],
  13: ['NETWORK_EXCEPTION', 'moved'],
  14: ['COORDINATOR_LOAD_IN_PROGRESS', 'retry'],
  15: ['COORDINATOR_NOT_AVAILABLE', 'moved'],
  16: ['NOT_COORDINATOR', 'moved'],
  17: ['INVALID_TOPIC_EXCEPTION', 'refused'],
  18: ['RECORD_LIST_TOO_LARGE', 'too-large'],
  // Healthy clusters answer so, too, where the verification of a transaction clashes with the end of the one before.
  19: ['NOT_ENOUGH_REPLICAS', 'retry'],
  20: ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'retry'],
  22: ['ILLEGAL_GENERATION', 'refused'],
  24: ['INVALID_GROUP_ID', 'refused'],
  25: ['UNKNOWN_MEMBER_ID', 'refused'],
  27: ['REBALANCE_IN_PROGRESS', 'refused'],
  29: ['TOPIC_AUTHORIZATION_FAILED', 'unauthorized'],
  30: ['GROUP_AUTHORIZATION_FAILED', 'unauthorized'],
  31: ['CLUSTER_AUTHORIZATION_FAILED', 'unauthorized'],
  32: ['INVALID_TIMESTAMP', 'refused'],
  33: ['UNSUPPORTED_SASL_MECHANISM', 'refused'],
  34: ['ILLEGAL_SASL_STATE', 'refused'],
  35: ['UNSUPPORTED_VERSION', 'refused'],
  36: ['TOPIC_ALREADY_EXISTS', 'refused'],
  37: ['INVALID_PARTITIONS', 'refused'],
  38: ['INVALID_REPLICATION_FACTOR', 'refused'],
  41: ['NOT_CONTROLLER', 'moved'],
  42: ['INVALID_REQUEST', 'refused'],
  45: ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'refused'],
  46: ['DUPLICATE_SEQUENCE_NUMBER', 'refused'],
  47: ['INVALID_PRODUCER_EPOCH', 'fenced'],
  48: ['INVALID_TXN_STATE', 'refused'],
  49: ['INVALID_PRODUCER_ID_MAPPING', 'fenced'],
  50: ['INVALID_TRANSACTION_TIMEOUT', 'refused'],
  51: ['CONCURRENT_TRANSACTIONS', 'retry'],
  52: ['TRANSACTION_COORDINATOR_FENCED', 'refused'],
  53: ['TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'unauthorized'],
  55: ['OPERATION_NOT_ATTEMPTED', 'refused'],
  56: ['KAFKA_STORAGE_ERROR', 'moved'],
  58: ['SASL_AUTHENTICATION_FAILED', 'refused'],
  59: ['UNKNOWN_PRODUCER_ID', 'refused'],
  68: ['NON_EMPTY_GROUP', 'refused'],
  69: ['GROUP_ID_NOT_FOUND', 'refused'],
  74: ['FENCED_LEADER_EPOCH', 'moved'],
  75: ['UNKNOWN_LEADER_EPOCH', 'moved'],
  87: ['INVALID_RECORD', 'refused'],
  88: ['UNSTABLE_OFFSET_COMMIT', 'retry'],
  89: ['THROTTLING_QUOTA_EXCEEDED', 'retry'],
  90: ['PRODUCER_FENCED', 'fenced'],
  120: ['TRANSACTION_ABORTABLE', 'refused'],
}

export const duplicateSequence = 46
export const invalidTransactionState = 48
export const operationNotAttempted = 55
export const topicExists = 36
export const groupNotFound = 69
export const unstableOffsets = 88

export function meaningOf(code: number): CodeMeaning {
  return codes[code]?.[1] ?? 'refused'
}

/** Of an answer about a topic's place in a group: whether the topic is what is wrong, and not the group. */
export function isOfTopic(code: number): boolean {
  return codes[code]?.[1] === 'unknown-topic' || code === 29
}

export function nameOf(code: number): string {
  const name = codes[code]?.[0]
  return name === undefined ? `code ${code}` : `${name} (${code})`
}

/** The one code of an answer with several: a fence outweighs all, and "not attempted" only says that another element failed. */
export function worstOf(answers: readonly { readonly code: number }[]): number {
  const failed = answers.filter(answer => answer.code !== 0)
  const fenced = failed.find(answer => meaningOf(answer.code) === 'fenced')
  const attempted = failed.filter(answer => answer.code !== operationNotAttempted)
  // A refusal ends the attempts, so it must not hide behind a code that is retried.
  const final = attempted.find(answer => meaningOf(answer.code) !== 'retry' && meaningOf(answer.code) !== 'moved')
  return (fenced ?? final ?? attempted[0] ?? failed[0])?.code ?? 0
}
