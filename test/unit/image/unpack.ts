// The table of layers with what they become, one on the other.

import type { Entries } from '../../world/tarball.ts'

interface Row {
  layers: Entries[]
  /** Path → content, link → target, directory → mode: what containerd 1.6 made of them on overlayfs, but for `follows`. */
  becomes: Record<string, string>
  /** Docker has a directory here, with what this layer holds alone. */
  follows?: true
}

const usr: Entries = { 'usr/': {}, 'usr/lib/': {}, 'usr/lib/old': 'old' }
const lib: Entries = { ...usr, lib: { symlink: 'usr/lib' } }
const below = { 'usr/': '755', 'usr/lib/': '755', 'usr/lib/old': 'old' }

export const LAYERS: Record<string, Row> = {
  'a directory replaces a link to a directory': {
    layers: [lib, { 'lib/': { mode: 0o700 }, 'lib/new': 'new' }],
    becomes: { ...below, 'lib/': '700', 'lib/new': 'new' },
  },
  'a directory without files replaces a link': {
    layers: [lib, { 'lib/': {} }],
    becomes: { ...below, 'lib/': '755' },
  },
  'without an entry of its directory a file follows a link to one': {
    layers: [lib, { 'lib/new': 'new' }],
    becomes: { ...below, lib: '-> usr/lib', 'usr/lib/new': 'new' },
    follows: true,
  },
  'an absolute link': {
    layers: [{ ...usr, lib: { symlink: '/usr/lib' } }, { 'lib/new': 'new' }],
    becomes: { ...below, lib: '-> /usr/lib', 'usr/lib/new': 'new' },
    follows: true,
  },
  'a chain of links': {
    layers: [{ ...usr, a: { symlink: 'b' }, b: { symlink: 'usr' } }, { 'a/lib/new': 'new' }],
    becomes: { ...below, a: '-> b', b: '-> usr', 'usr/lib/new': 'new' },
    follows: true,
  },
  'a link on the way': {
    layers: [
      { ...usr, a: { symlink: 'usr' } },
      { 'a/': {}, 'a/lib/new': 'new' },
    ],
    becomes: { ...below, 'a/': '755', 'a/lib/': '755', 'a/lib/new': 'new' },
  },
  'a dangling link, a file': {
    layers: [
      { a: { symlink: 'nowhere' }, b: 'file' },
      { 'a/new': 'new', 'b/new': 'new' },
    ],
    becomes: { 'a/': '755', 'a/new': 'new', 'b/': '755', 'b/new': 'new' },
  },
  'opaque over a link leaves its target alone': {
    layers: [lib, { 'lib/': {}, 'lib/.wh..wh..opq': '', 'lib/new': 'new' }],
    becomes: { ...below, 'lib/': '755', 'lib/new': 'new' },
  },
  'opaque without an entry of the directory': {
    layers: [lib, { 'lib/.wh..wh..opq': '', 'lib/new': 'new' }],
    becomes: { ...below, 'lib/': '755', 'lib/new': 'new' },
  },
  'opaque before the entry of the directory': {
    layers: [lib, { 'lib/.wh..wh..opq': '', 'lib/': { mode: 0o700 }, 'lib/new': 'new' }],
    becomes: { ...below, 'lib/': '700', 'lib/new': 'new' },
  },
  'a whiteout below a link': {
    layers: [lib, { 'lib/.wh.old': '' }],
    becomes: { 'usr/': '755', 'usr/lib/': '755', lib: '-> usr/lib' },
    follows: true,
  },
  'a directory keeps its mode where a layer has no entry of it': {
    layers: [{ 'tmp/': { mode: 0o1777, uid: 5 }, 'tmp/a/': { mode: 0o700 } }, { 'tmp/a/new': 'new' }],
    becomes: { 'tmp/': '1777', 'tmp/a/': '700', 'tmp/a/new': 'new' },
  },
  'a link becomes a directory, and a link again': {
    layers: [lib, { 'lib/': {}, 'lib/second': '' }, { lib: { symlink: 'usr/lib' } }],
    becomes: { ...below, lib: '-> usr/lib' },
  },
  'a directory becomes a link, and a directory again': {
    layers: [
      { ...usr, 'lib/': {}, 'lib/first': '' },
      { lib: { symlink: 'usr/lib' } },
      { 'lib/': {}, 'lib/third': '3' },
    ],
    becomes: { ...below, 'lib/': '755', 'lib/third': '3' },
  },
  'a link goes, a directory comes': {
    layers: [lib, { '.wh.lib': '' }, { 'lib/new': 'new' }],
    becomes: { ...below, 'lib/': '755', 'lib/new': 'new' },
  },
  'a link of the layer itself is followed': {
    layers: [usr, { lib: { symlink: 'usr/lib' }, 'lib/new': 'new' }],
    becomes: { ...below, lib: '-> usr/lib', 'usr/lib/new': 'new' },
  },
  'a link of the layer itself to a lower link': {
    layers: [lib, { sub: { symlink: '/lib' }, 'sub/new': 'new' }],
    becomes: { ...below, lib: '-> usr/lib', 'usr/lib/new': 'new', sub: '-> /lib' },
    follows: true,
  },
  'a hard link below a link': {
    layers: [lib, { 'lib/a': 'new', 'lib/b': { link: 'lib/a' } }],
    becomes: { ...below, lib: '-> usr/lib', 'usr/lib/a': 'new', 'usr/lib/b': 'new' },
    follows: true,
  },
  'names with dots and slashes': {
    layers: [lib, { './lib//./': {}, '/lib/../lib/new': 'new' }],
    becomes: { ...below, 'lib/': '755', 'lib/new': 'new' },
  },
  'a long name': {
    layers: [{ ['n'.repeat(120)]: { symlink: 'nowhere' } }, { [`${'n'.repeat(120)}/new`]: 'new' }],
    becomes: { [`${'n'.repeat(120)}/`]: '755', [`${'n'.repeat(120)}/new`]: 'new' },
  },
}
