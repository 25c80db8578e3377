// The keys of a spec.

import { z } from 'zod'
import { reference } from './reference.ts'

const image = z.string().superRefine((text, context) => {
  const ref = reference(text)
  if (typeof ref === 'string') context.addIssue({ code: 'custom', message: ref })
})

export const schema = z.strictObject({
  image: image.describe(
    'Where the image comes from: nginx, library/nginx:latest, ghcr.io/a/b:tag, name@sha256:…, oci:…',
  ),
  disable_supervisor: z
    .boolean()
    .default(false)
    .describe('true: the entrypoint itself is PID 1, for images that bring a supervisor such as s6-overlay'),
})

export type Keys = z.infer<typeof schema>

/** The JSON Schema that editors complete and check specs with. */
export function jsonSchema(): object {
  return z.toJSONSchema(schema, { io: 'input' })
}
