// The login of a function: Lambda puts it into the environment of each container, for as long as the container lives. In a bundle it stands for
// all other ways of AWS' client to log in (lib/compiler/aws-client.ts).
export interface Login {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** As @aws-sdk/credential-provider-node. */
export function defaultProvider(): () => Promise<Login> {
  return async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env
    if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) throw new CredentialsProviderError()
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
    }
  }
}

/** AWS' own name, which messages tell as the reason. */
class CredentialsProviderError extends Error {
  override readonly name = 'CredentialsProviderError'
  constructor() {
    super(
      'There is no AWS_ACCESS_KEY_ID or no AWS_SECRET_ACCESS_KEY in the environment, where Lambda puts the login of the role.',
    )
  }
}
