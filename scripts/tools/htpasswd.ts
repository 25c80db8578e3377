// htpasswd: checks passwords.

import { type Run, ToolFailure } from '../system/run.ts'

export type Login = { user: string; password: string }

/** Is it this user's password? @throws ToolFailure when the file, or the user's line in it, cannot be used */
export async function verify(run: Run, file: string, { user, password }: Login): Promise<boolean> {
  try {
    await run(['htpasswd', '-v', '-i', file, user], { input: password, timeout: 10 })
    return true
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error
    // Another password · a name or password longer than any can be · no such user.
    if ([3, 5, 6].includes(Number(error.details.exitCode))) return false
    const hint = error.reason === 'not found' ? 'apt-get install apache2-utils' : error.details.hint
    throw error.reworded(error.reason.replace(/^htpasswd: /, ''), hint)
  }
}
