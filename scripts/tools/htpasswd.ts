// htpasswd: checks passwords.

import { run, ToolFailure } from '../system/run.ts'

/**
 * Is it this user's password? The file may hold every format that Apache knows.
 *
 * @throws ToolFailure when the file, or the user's line in it, cannot be used
 */
export async function verify(file: string, user: string, password: string): Promise<boolean> {
  try {
    await run(['htpasswd', '-v', '-i', file, user], { input: password, timeout: 10 })
    return true
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error
    // 3: another password · 5: name or password longer than any can be · 6: no such user
    if ([3, 5, 6].includes(Number(error.exitCode))) return false
    const hint = error.reason === 'not found' ? 'apt-get install apache2-utils' : error.hint
    throw new ToolFailure('htpasswd', error.reason.replace(/^htpasswd: /, ''), hint, error.stderr, error.exitCode)
  }
}
