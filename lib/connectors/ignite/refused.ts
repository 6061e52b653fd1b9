// What Ignite's thin-client protocol says in place of an answer, in words without data.
/** The server's word, or what it says is not Ignite's protocol. */
export class Refused extends Error {}

export const malformed = () => new Refused('the answer is not of the thin-client protocol of Ignite 2')
