// A function that does what the event's eventSource says; for tests of the container around it.
let ticks = 0

export const handler = async (event, context) => {
  switch (event.eventSource) {
    case 'echo':
      return { event, requestId: context.awsRequestId, remainingMs: context.getRemainingTimeInMillis(), pid: process.pid }
    case 'environment':
      return process.env
    case 'log':
      console.log('a line of log')
      return null
    case 'tick':
      setInterval(() => ticks++, 5)
      return ticks
    case 'ticks':
      return ticks
    case 'undefined':
      return undefined
    case 'throw':
      throw new RangeError('no such thing')
    case 'hang':
      return new Promise(() => setInterval(() => {}, 1000))
    case 'exit':
      return process.exit(3)
    case 'memory': {
      const hog = []
      for (;;) hog.push(new Array(1_000_000).fill(hog.length))
    }
  }
}
