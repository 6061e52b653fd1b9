// The token that brokers of MSK take instead of a password: the URL of a request `kafka-cluster:Connect`, signed with the function's own
// credentials and never sent as a request. Signing needs no network. Same bytes as AWS' own signer, which costs 508 KB and 80 ms more.
// github.com/aws/aws-msk-iam-sasl-signer-js
import aws4, { type Credentials } from 'aws4'

/** Brokers take a token for this long; a connection that it opened lives on. */
const expirySeconds = 900

export interface SigningOptions {
  readonly region: string
  readonly credentials: Credentials
  readonly now?: Date
}

export function mskIamToken({ region, credentials, now = new Date() }: SigningOptions): string {
  const date = now.toISOString().replace(/[:-]|\.\d{3}/g, '')
  const { host, path } = aws4.sign(
    {
      service: 'kafka-cluster',
      region,
      signQuery: true,
      host: `kafka.${region}.amazonaws.com`,
      path: `/?Action=kafka-cluster%3AConnect&X-Amz-Expires=${expirySeconds}&X-Amz-Date=${date}`,
    },
    credentials,
  )
  // Names the client in the broker's log; not part of what is signed.
  return Buffer.from(`https://${host}${path}&User-Agent=sluice`).toString('base64url')
}
