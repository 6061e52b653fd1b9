// Where V8 puts what a batch allocates. A batch's thousand objects of one kind are all alive while it is on its way; when a collection of the
// still small young generation falls into one of the first batches, V8 concludes that objects made at that place live long, and makes them in
// the old generation from then on ("allocation site pretenuring"). There they keep everything alive that they point to, answers of stores and
// parsed values, until the next full collection. Nothing of a batch outlives it: over 2,000 batches of 1,000
// look-ups of 300 B, one took 1.5 ms of CPU time with that conclusion and 1.1 without. Benchmarks of some hundred batches end before it shows.
import { setFlagsFromString } from 'node:v8'

/** For the whole process, from now on: objects begin young, wherever they are made. V8 reads the flag whenever it would draw that conclusion. */
export function keepBatchesYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}
