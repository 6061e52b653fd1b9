// A request of a command line, asked again while the broker may still answer. The function has patience of its own (producer.ts).
import type { Deadline } from '../../runtime/ports.ts'
import { toPortError } from './errors.ts'
import { Patience, Scope } from './patience.ts'

/** Longest wait for one answer. */
export const requestTimeoutMs = 10_000
const patienceMs = 5000

/** Gives what the first attempt gives that succeeds. Throws the last one's error, in the words of the ports. `what` stands in the message. */
export async function repeat<Result>(
  deadline: Deadline,
  what: string,
  attempt: (timeoutMs: number) => Promise<Result>,
): Promise<Result> {
  const patience = new Patience(new Scope(deadline, { atMostMs: 60_000, reserveMs: 0 }), what, patienceMs)
  try {
    for (;;) {
      const timeoutMs = patience.attemptMs(requestTimeoutMs)
      try {
        return await attempt(timeoutMs)
      } catch (error) {
        patience.failed(error)
      }
      await patience.pause()
    }
  } catch (error) {
    throw toPortError(error, { transactionalId: what, epoch: -1 })
  }
}
