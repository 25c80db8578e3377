// The forms an image can be packed in.

/** One archive of the root file system beside one of the metadata; `unified` is one archive with both. */
export const FORMATS = ['tar.zst', 'tar.xz', 'tar.gz', 'tar', 'squashfs', 'unified'] as const

export type Format = (typeof FORMATS)[number]

/** Fastest from registry to running instance: see the table in docs/build.md. */
export const DEFAULT_FORMAT: Format = 'tar.zst'
