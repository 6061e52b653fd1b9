// The wire format against published vectors and against another implementation; needs no broker.
import { Reader as OtherReader, readRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { meaningOf, worstOf } from '../../lib/connectors/kafka/codes.ts'
import { crc32c } from '../../lib/connectors/kafka/crc32c.ts'
import {
  apiVersions,
  endTxn,
  initProducerId,
  metadata,
  offsetFetch,
  produce,
  txnOffsetCommit,
} from '../../lib/connectors/kafka/messages.ts'
import { murmur2, partitionOf } from '../../lib/connectors/kafka/partitioner.ts'
import { type Compression, encodeBatch } from '../../lib/connectors/kafka/records.ts'
import { Reader, Writer } from '../../lib/connectors/kafka/wire.ts'
import type { OutputRecord } from '../../lib/runtime/ports.ts'

// github.com/apache/kafka: clients/src/test/…/common/utils/UtilsTest.java, testMurmur2
test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('the hash of %j is that of Java', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash)
})

test('a negative hash loses its sign bit, as Java has it, and not its absolute value', () => {
  // -973932308 & 0x7fffffff = 1173551340
  expect(partitionOf(Buffer.from('21'), 1000)).toBe(340)
})

// RFC 3720, appendix B.4, and the check value of the polynomial
test.each([
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['ascending', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['descending', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('the checksum of %s', (_, bytes, checksum) => {
  expect(crc32c(bytes)).toBe(checksum)
})

test('a checksum is that of its bits, wherever the bytes lie', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), fc.nat(7), (bytes, before, after) => {
      const memory = new Uint8Array(before + bytes.length + after).fill(0xa5)
      memory.set(bytes, before)
      expect(crc32c(memory, before, before + bytes.length)).toBe(bitByBit(bytes))
      expect(crc32c(memory.subarray(before), 0, bytes.length)).toBe(bitByBit(bytes))
    }),
  )
})

/** As RFC 3720 defines it. */
function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

describe('primitive types', () => {
  test.each([
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [-64, '7f'],
    [64, '8001'],
    [300, 'd804'],
    [2 ** 31 - 1, 'feffffff0f'],
    [-(2 ** 31), 'ffffffff0f'],
    [1_763_900_000_000, '809c908ad666'],
  ])('%d as a zigzag varint is %s', (value, hex) => {
    expect(new Writer().varint(value).bytes().toString('hex')).toBe(hex)
    expect(new Reader(Buffer.from(hex, 'hex')).varint()).toBe(value)
  })

  test.each([
    [null, '00'],
    ['', '01'],
    ['aé', '0461c3a9'],
    ['x'.repeat(127), `8001${'78'.repeat(127)}`],
  ])('the string %j', (value, hex) => {
    expect(new Writer().string(value).bytes().toString('hex')).toBe(hex)
    expect(new Reader(Buffer.from(hex, 'hex')).string()).toBe(value)
  })

  test('a large byte array goes out as it is, between what stands around it', () => {
    const large = Buffer.alloc(20_000, 7)
    const writer = new Writer(8).string('before').byteArray(large).string('after').byteArray(large).int8(1)
    const parts = writer.parts()
    expect(parts.map(({ length }) => length)).toEqual([10, 20_000, 9, 20_000, 1])
    expect(parts[1]!.buffer).toBe(large.buffer)
    expect(writer.length).toBe(40_020)
    const reader = new Reader(writer.bytes())
    expect(reader.string()).toBe('before')
    expect(reader.raw(reader.unsignedVarint() - 1).equals(large)).toBe(true)
    expect(reader.string()).toBe('after')
    expect(reader.raw(reader.unsignedVarint() - 1).equals(large)).toBe(true)
    expect([reader.int8(), reader.rest]).toEqual([1, 0])
  })

  test('what is written grows, and can be read again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.maxSafeInteger(), fc.string(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))),
        values => {
          const writer = new Writer(1)
          for (const value of values) {
            if (typeof value === 'number') writer.varint(Math.floor(value / 2))
            else if (typeof value === 'bigint') writer.int64(value)
            else writer.string(value)
          }
          const reader = new Reader(writer.bytes())
          for (const value of values) {
            if (typeof value === 'number') expect(reader.varint()).toBe(Math.floor(value / 2))
            else if (typeof value === 'bigint') expect(reader.int64()).toBe(value)
            else expect(reader.string()).toBe(Buffer.from(value).toString())
          }
          expect(reader.rest).toBe(0)
        },
      ),
    )
  })

  test('a message that ends too early is an error, and not garbage', () => {
    expect(() => new Reader(Buffer.from('0001', 'hex')).int32()).toThrow('the message ends at byte 2, 4 more were expected at 0')
    expect(() => new Reader(Buffer.from('0561', 'hex')).string()).toThrow('the message ends at byte 2')
  })

  test('tagged fields that nobody knows are passed over', () => {
    const reader = new Reader(Buffer.from('0200020bb8' + '05010a' + '07', 'hex'))
    const seen: number[] = []
    reader.tags({ 0: tagged => seen.push(tagged.int16()) })
    expect(seen).toEqual([3000])
    expect(reader.int8()).toBe(7)
  })
})

describe('record batches', () => {
  const owner = { producerId: 4242n, epoch: 7, baseSequence: 100, compression: 'none' } as const

  test('a batch of one record, byte by byte', () => {
    const batch = encodeBatch([record({ key: 'k', value: 'v', headers: [['h', 'x']], timestampMs: 1_763_900_000_000 })], owner)
    expect(batch.toString('hex')).toBe(
      [
        '0000000000000000', // base offset
        '0000003e', // length of what follows
        'ffffffff', // leader epoch
        '02', // magic
        batch.subarray(17, 21).toString('hex'), // checksum, tested below
        '0010', // transactional
        '00000000', // last offset delta
        '0000019ab0a20700', // first timestamp
        '0000019ab0a20700', // last timestamp
        '0000000000001092', // producer id
        '0007', // epoch
        '00000064', // sequence
        '00000001', // count
        '18' + '00' + '00' + '00' + '026b' + '0276' + '02' + '0268' + '0278',
      ].join(''),
    )
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)))
  })

  test.each<Compression>(['none', 'gzip', 'zstd'])('another client reads what we write, compression %s', compression => {
    const batch = encodeBatch(
      [
        record({ key: 'a', value: 'first', timestampMs: 5_000_000_000_000 }),
        record({
          key: null,
          value: 'second',
          timestampMs: 1000,
          headers: [
            ['x', 'aé'],
            ['x', ''],
            ['none', null],
          ],
        }),
        record({ key: 'gone', value: null, timestampMs: 5_000_000_000_001 }),
      ],
      { ...owner, compression },
    )
    const read = readRecordsBatch(OtherReader.from(batch))
    expect(read).toMatchObject({
      producerId: 4242n,
      producerEpoch: 7,
      firstSequence: 100,
      lastOffsetDelta: 2,
      firstTimestamp: 5_000_000_000_000n,
    })
    expect(read.maxTimestamp).toBe(5_000_000_000_001n)
    const records = read.records.map(one => ({
      key: one.key?.toString() ?? null,
      value: one.value?.toString() ?? null,
      timestampMs: Number(read.firstTimestamp + one.timestampDelta),
      headers: one.headers.map(([name, value]) => [name?.toString(), value?.toString() ?? null]),
    }))
    expect(records).toEqual([
      { key: 'a', value: 'first', timestampMs: 5_000_000_000_000, headers: [] },
      {
        key: null,
        value: 'second',
        timestampMs: 1000,
        headers: [
          ['x', 'aé'],
          ['x', ''],
          ['none', null],
        ],
      },
      { key: 'gone', value: null, timestampMs: 5_000_000_000_001, headers: [] },
    ])
  })
})

describe('messages', () => {
  test('a Produce request groups batches by topic', () => {
    const bytes = (text: string) => Buffer.from(text)
    const writer = new Writer()
    produce.encode(
      writer,
      {
        transactionalId: 't',
        timeoutMs: 1000,
        batches: [
          { topic: 'b', partition: 1, bytes: bytes('p') },
          { topic: 'a', partition: 0, bytes: bytes('q') },
          { topic: 'b', partition: 0, bytes: bytes('r') },
        ],
      },
      12,
    )
    expect(writer.bytes().toString('hex')).toBe(
      [
        '0274',
        'ffff',
        '000003e8',
        '03',
        '0262',
        '03',
        '00000001',
        '0270',
        '00',
        '00000000',
        '0272',
        '00',
        '00',
        '0261',
        '02',
        '00000000',
        '0271',
        '00',
        '00',
        '00',
      ].join(''),
    )
  })

  test('TxnOffsetCommit speaks for a group that nobody has joined: generation −1, member ""', () => {
    const writer = new Writer()
    const owner = { transactionalId: 't', producerId: 1n, epoch: 2 }
    txnOffsetCommit.encode(writer, { owner, group: 'g', partition: { topic: 'a', partition: 3 }, nextOffset: 42n }, 5)
    expect(writer.bytes().toString('hex')).toBe(
      [
        '0274',
        '0267',
        '0000000000000001',
        '0002',
        'ffffffff',
        '01',
        '00',
        '02',
        '0261',
        '02',
        '00000003',
        '000000000000002a',
        'ffffffff',
        '00',
        '00',
        '00',
        '00',
      ].join(''),
    )
  })

  test('OffsetFetch asks for stable offsets only: the last flag but the tags', () => {
    const writer = new Writer()
    offsetFetch.encode(writer, { group: 'g', partitions: [{ topic: 'a', partition: 3 }] }, 8)
    expect(writer.bytes().toString('hex')).toBe('02' + '0267' + '02' + '0261' + '02' + '00000003' + '00' + '00' + '01' + '00')
  })

  test('InitProducerId always fences: producer id −1, epoch −1', () => {
    const writer = new Writer()
    initProducerId.encode(writer, { transactionalId: 't', transactionTimeoutMs: 15_000 }, 4)
    expect(writer.bytes().toString('hex')).toBe('0274' + '00003a98' + 'ffffffffffffffff' + 'ffff' + '00')
  })

  test('EndTxn brings the next epoch from version 5 on', () => {
    const answer = '00000000' + '0000' + '0000000000000007' + '0003' + '00'
    expect(endTxn.decode(new Reader(Buffer.from(answer, 'hex')), 5)).toEqual({ code: 0, next: { producerId: 7n, epoch: 3 } })
    expect(endTxn.decode(new Reader(Buffer.from('00000000' + '0000' + '00', 'hex')), 4)).toEqual({ code: 0 })
  })

  test('ApiVersions tells versions and finalised features', () => {
    const feature = '02' + '14' + Buffer.from('transaction.version').toString('hex') + '0002' + '0001' + '00'
    const answer =
      '0000' +
      '02' +
      '0012' +
      '0000' +
      '0004' +
      '00' +
      '00000000' +
      '01' +
      '02' +
      (feature.length / 2).toString(16).padStart(2, '0') +
      feature
    const read = apiVersions.decode(new Reader(Buffer.from(answer, 'hex')), 3)
    expect([...read.versions]).toEqual([[18, { oldest: 0, newest: 4 }]])
    expect([...read.features]).toEqual([['transaction.version', 2]])
  })

  test('Metadata never creates a topic, in any version', () => {
    for (const [version, hex] of [
      [9, '02' + '0261' + '00' + '00' + '00' + '00' + '00'],
      [12, '02' + '00'.repeat(16) + '0261' + '00' + '00' + '00' + '00'],
    ] as const) {
      const writer = new Writer()
      metadata.encode(writer, { topics: ['a'] }, version)
      expect(writer.bytes().toString('hex')).toBe(hex)
    }
  })
})

describe('error codes', () => {
  test.each([47, 49, 90])('%d is a fence wherever it comes from', code => {
    expect(meaningOf(code)).toBe('fenced')
  })

  test.each([51, 88, 14, 19, 7])('%d is asked again', code => {
    expect(meaningOf(code)).toBe('retry')
  })

  test.each([15, 16, 5, 6, 13, 56, 74])('%d is asked again, of whoever it is now', code => {
    expect(meaningOf(code)).toBe('moved')
  })

  test.each([
    ['nothing failed', [0, 0], 0],
    ['the one that was attempted tells why', [55, 53, 55], 53],
    ['a fence outweighs a pause', [51, 47], 47],
    ['a refusal does not hide behind a pause', [51, 53], 53],
  ])('of several codes: %s', (_, codes, worst) => {
    expect(worstOf(codes.map(code => ({ code })))).toBe(worst)
  })
})

function record(fields: {
  readonly key: string | null
  readonly value: string | null
  readonly timestampMs: number
  readonly headers?: readonly (readonly [string, string | null])[]
}): OutputRecord {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text))
  return {
    topic: 'out',
    key: bytes(fields.key),
    value: bytes(fields.value),
    timestampMs: fields.timestampMs,
    partitionSeed: '',
    headers: (fields.headers ?? []).map(([name, value]) => ({ name, value: bytes(value) })),
  }
}
