// Writes a script of an image.

/** @param text indented as the program around it; the interpreter is sh unless another is named */
export function script(text: string, interpreter = '/bin/sh'): { content: string; mode: number } {
  const lines = text.replace(/^\n|\n *$/g, '').split('\n')
  const indent = /^ */.exec(lines[0] ?? '')?.[0].length ?? 0
  return { content: `#!${interpreter}\n${lines.map(line => line.slice(indent)).join('\n')}\n`, mode: 0o755 }
}
